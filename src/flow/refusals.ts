import type { Page, PageRange } from "../domain/page.ts";
import { hintFor, type RefusedRequest } from "../domain/refused-request.ts";
import type { Source } from "../domain/source.ts";
import { guessKey } from "../lib/ip-address.ts";
import { toOneLine } from "../lib/text.ts";
import type { FlowServices } from "./services.ts";

/** The latest refused requests. */
export interface Refusals {
  /** Logs and remembers a refused request. `status` is the word of the response. */
  record(source: Source, status: string, refused: RefusedNow): void;
  /** Newest first; of one source, or of all with null. */
  list(source: string | null, range: PageRange): Page<RefusedRequest>;
}

/** A request that is being refused. */
export interface RefusedNow extends Pick<RefusedRequest, "client" | "code" | "reason"> {
  readonly headers: Headers;
}

/** How many are remembered. */
const MAX_REMEMBERED = 1000;

/** In characters. A reason names fields, and paths of fields can be long. */
const MAX_REASON = 500;

/** What any provider's id may look like: printable ASCII without spaces. */
const PROVIDER_ID = /^[!-~]{1,128}$/;

/** Who sent it, for the share of the memory: the addresses of one network count as one, as they do for guesses. */
function senderOf({ source, client }: Pick<RefusedRequest, "source" | "client">): string {
  return `${client === null ? "" : guessKey(client)} ${source}`;
}

/** Creates the memory of refused requests. Senders can cause any number, so it is bounded and the log is throttled. */
export function createRefusals({
  clock,
  logThrottled,
}: Pick<FlowServices, "clock" | "logThrottled">): Refusals {
  /** Newest last. */
  const remembered: RefusedRequest[] = [];
  /** How many of each sender. */
  const counts = new Map<string, number>();
  let last = 0;

  /** Forgets the oldest refusal of the sender with the most, so that one cannot push out those of the others. */
  function forgetOne(): void {
    let most = 0;
    for (const count of counts.values()) most = Math.max(most, count);
    const at = remembered.findIndex((each) => counts.get(senderOf(each)) === most);
    for (const each of remembered.splice(at, 1)) {
      const sender = senderOf(each);
      if (most === 1) counts.delete(sender);
      else counts.set(sender, most - 1);
    }
  }

  return {
    record({ name, handler }, status, { client, code, headers, reason }) {
      const idHeader = handler.idHeaders.find((each) => headers.has(each));
      const id = idHeader === undefined ? null : headers.get(idHeader);
      const refused: RefusedRequest = {
        id: ++last,
        at: clock.now(),
        source: name,
        client,
        code,
        reason: reason === null ? null : toOneLine(reason, MAX_REASON),
        hint: hintFor(code, handler.signatureHeader),
        providerId: id !== null && PROVIDER_ID.test(id) ? id : null,
      };
      remembered.push(refused);
      const sender = senderOf(refused);
      counts.set(sender, (counts.get(sender) ?? 0) + 1);
      if (remembered.length > MAX_REMEMBERED) forgetOne();
      const { hint, providerId } = refused;
      const details = { reason: refused.reason, hint, provider_id: providerId };
      const known = Object.fromEntries(Object.entries(details).filter(([, value]) => value !== null));
      logThrottled({ source: name, client, code, ...known }, `request refused: ${status}`);
    },
    list(source, { limit, before }) {
      const found = remembered
        .filter(
          (each) =>
            (source === null || each.source === source) && each.id < (before ?? Number.POSITIVE_INFINITY),
        )
        .toReversed();
      const items = found.slice(0, limit);
      return { items, next: found.length > limit ? (items.at(-1)?.id ?? null) : null };
    },
  };
}
