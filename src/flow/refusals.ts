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
  /** Those of each sender, oldest first. */
  const bySender = new Map<string, RefusedRequest[]>();
  let remembered = 0;
  let last = 0;

  function remember(refused: RefusedRequest): void {
    const sender = senderOf(refused);
    const own = bySender.get(sender);
    if (own === undefined) bySender.set(sender, [refused]);
    else own.push(refused);
    remembered += 1;
    if (remembered > MAX_REMEMBERED) forgetOne();
  }

  /** Forgets the oldest refusal of the sender with the most, so that one cannot push out those of the others. */
  function forgetOne(): void {
    let most: RefusedRequest[] = [];
    for (const own of bySender.values()) {
      const isOlder = own.length === most.length && (own[0]?.id ?? 0) < (most[0]?.id ?? 0);
      if (own.length > most.length || isOlder) most = own;
    }
    const forgotten = most.shift();
    remembered -= 1;
    if (forgotten !== undefined && most.length === 0) bySender.delete(senderOf(forgotten));
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
      remember(refused);
      const details = {
        reason: refused.reason ?? undefined,
        hint: refused.hint ?? undefined,
        provider_id: refused.providerId ?? undefined,
      };
      logThrottled({ source: name, client, code, ...details }, `request refused: ${status}`);
    },
    list(source, { limit, before }) {
      const found = [...bySender.values()]
        .flat()
        .filter(
          (each) =>
            (source === null || each.source === source) && each.id < (before ?? Number.POSITIVE_INFINITY),
        )
        .toSorted((a, b) => b.id - a.id);
      const items = found.slice(0, limit);
      return { items, next: found.length > limit ? (items.at(-1)?.id ?? null) : null };
    },
  };
}
