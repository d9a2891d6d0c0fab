import { type Static, Type } from "@sinclair/typebox";
import { Value } from "@sinclair/typebox/value";
import type { PublishedRanges } from "../../domain/published-ranges.ts";
import { AppError, systemErrorCode } from "../../lib/errors.ts";
import { isAddressRange } from "../../lib/ip-address.ts";

/**
 * Where GitHub sent deliveries from when this was written, for as long as its own list was not to be had: `hooks` in
 * the REST API's "Get GitHub meta information", with the ranges that GitHub's changelog added on this day.
 */
export const BUILT_IN_RANGES: PublishedRanges = {
  ranges: [
    "192.30.252.0/22",
    "185.199.108.0/22",
    "140.82.112.0/20",
    "143.55.64.0/20",
    "2a0a:a440::/29",
    "2606:50c0::/32",
    "9.234.98.160/28",
    "9.234.98.176/28",
    "9.234.106.48/28",
  ],
  at: new Date("2026-10-29T00:00:00Z"),
};

/** How the list is asked for. */
export interface FetchOptions {
  /** Ends it early. */
  readonly signal?: AbortSignal;
  /** Milliseconds until the whole answer must have come; 10 s by default. */
  readonly timeout?: number;
}

/** The list has some hundred entries in all; in bytes. */
const LARGEST_ANSWER = 1024 * 1024;

const Meta = Type.Object({ hooks: Type.Array(Type.String()) });

/**
 * Asks for the ranges that GitHub sends deliveries from. No redirect is followed. Rejects with a {@link AppError}
 * `failed` when there is no answer, or one that is not such a list.
 *
 * @param url such as `https://api.github.com/meta`.
 */
export async function fetchPublishedRanges(
  url: string,
  { signal, timeout = 10_000 }: FetchOptions = {},
): Promise<readonly string[]> {
  const { host } = new URL(url);
  const limit = AbortSignal.timeout(timeout);
  const meta = readMeta(host, await download(url, host, signal ? AbortSignal.any([signal, limit]) : limit));
  const odd = meta.hooks.find((range) => !isAddressRange(range));
  if (odd !== undefined) throw refuse(host, `lists ${JSON.stringify(odd.slice(0, 60))}, which is no range`);
  return meta.hooks;
}

async function download(url: string, host: string, signal: AbortSignal): Promise<Uint8Array> {
  try {
    const response = await fetch(url, {
      redirect: "error",
      // The next one is a day later.
      keepalive: false,
      headers: { accept: "application/json", "user-agent": "hooklatch" },
      signal,
    });
    if (response.status !== 200) {
      response.body?.cancel().catch(() => undefined);
      throw refuse(host, `answered ${response.status}`);
    }
    return await readBounded(response, host);
  } catch (error) {
    if (error instanceof AppError) throw error;
    throw refuse(host, describeFailure(error), error);
  }
}

async function readBounded(response: Response, host: string): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  let length = 0;
  for await (const chunk of response.body ?? []) {
    length += chunk.byteLength;
    // Leaving the loop cancels the rest.
    if (length > LARGEST_ANSWER) throw refuse(host, "answered with more than 1 MiB");
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

function readMeta(host: string, bytes: Uint8Array): Static<typeof Meta> {
  let answer: unknown;
  try {
    answer = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
  } catch (error) {
    throw refuse(host, "answered something that is not JSON", error);
  }
  if (!Value.Check(Meta, answer)) throw refuse(host, 'answered without a list of ranges under "hooks"');
  return answer;
}

function refuse(host: string, reason: string, cause?: unknown): AppError {
  return new AppError("failed", `GitHub's hook ranges cannot be had: ${host} ${reason}`, cause);
}

function describeFailure(error: unknown): string {
  if (!(error instanceof Error)) return "gave no answer";
  if (error.name === "TimeoutError") return "gave no answer in time";
  return `cannot be asked (${systemErrorCode(error) ?? error.name})`;
}
