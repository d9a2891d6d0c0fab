import { type Static, Type } from "@sinclair/typebox";
import { Value } from "@sinclair/typebox/value";
import type { PublishedRanges, RangesPublisher } from "../../domain/published-ranges.ts";
import { AppError } from "../../lib/errors.ts";
import { describeHttpFailure } from "../../lib/http-client.ts";
import { isAddressRange } from "../../lib/ip-address.ts";
import { httpClient } from "../../runtime/index.ts";

/**
 * The ranges that GitHub sent webhooks from when this was written: `hooks` in "Get GitHub meta information" of the REST
 * API, and those that GitHub's changelog added that day. They apply until the first download.
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

/** GitHub's list of the ranges it sends webhooks from. */
export const publishedRanges: RangesPublisher = {
  builtIn: BUILT_IN_RANGES,
  url: "https://api.github.com/meta",
  fetch: (url, signal) => fetchPublishedRanges(url, { signal }),
};

/** How the list is downloaded. */
export interface FetchOptions {
  readonly signal?: AbortSignal;
  /** Milliseconds until the whole response must have arrived; 10 s by default. */
  readonly timeout?: number;
}

/** Bytes. The list has a few hundred entries in all. */
const MAX_RESPONSE = 1024 * 1024;

const Meta = Type.Object({ hooks: Type.Array(Type.String()) });

/**
 * Downloads the list, without following redirects. Rejects with an {@link AppError} `failed` when there is no response,
 * or another one than such a list.
 *
 * @param url such as `https://api.github.com/meta`.
 */
export async function fetchPublishedRanges(
  url: string,
  { signal, timeout = 10_000 }: FetchOptions = {},
): Promise<readonly string[]> {
  const { host } = new URL(url);
  const result = await httpClient.request(url, {
    headers: { accept: "application/json", "user-agent": "hooklatch" },
    timeout,
    ...(signal === undefined ? {} : { signal }),
    maxBody: MAX_RESPONSE,
  });
  if (result.kind !== "response") {
    throw failure(`the request to ${host} failed: ${describeHttpFailure(result)}`);
  }
  if (result.status !== 200) throw failure(`${host} returned ${result.status}`);
  const { hooks } = parseMeta(host, result.body);
  const invalid = hooks.find((range) => !isAddressRange(range));
  if (invalid !== undefined) {
    throw failure(`${host} lists ${JSON.stringify(invalid.slice(0, 60))}, which is not a range`);
  }
  return hooks;
}

function parseMeta(host: string, body: Uint8Array): Static<typeof Meta> {
  let document: unknown;
  try {
    document = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(body));
  } catch (error) {
    throw failure(`the response of ${host} is not JSON`, error);
  }
  if (!Value.Check(Meta, document)) {
    throw failure(`the response of ${host} has no list of ranges under "hooks"`);
  }
  return document;
}

function failure(reason: string, cause?: unknown): AppError {
  return new AppError("failed", `cannot download GitHub's webhook address ranges: ${reason}`, cause);
}
