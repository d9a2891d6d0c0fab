import { Type } from "@sinclair/typebox";
import { Value } from "@sinclair/typebox/value";
import type { PublishedRanges, RangesPublisher } from "../../domain/published-ranges.ts";
import { AppError } from "../../lib/errors.ts";
import { describeHttpFailure } from "../../lib/http-client.ts";
import { isAddressRange } from "../../lib/ip-address.ts";
import { httpClient } from "../../runtime/index.ts";
import { decodeJsonBody } from "../json.ts";

/**
 * The ranges from which GitHub sent webhooks at the given date: `hooks` in "Get GitHub meta information" of the REST API,
 * and those that GitHub's changelog announced. They apply until the first download.
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

/** The ranges from which GitHub sends webhooks. */
export const publishedRanges: RangesPublisher = {
  builtIn: BUILT_IN_RANGES,
  url: "https://api.github.com/meta",
  fetch: (url, signal) => fetchPublishedRanges(url, { signal }),
};

/** Limits of the download. */
export interface FetchOptions {
  readonly signal?: AbortSignal;
  /** Milliseconds until the whole response must have arrived; 10 s by default. */
  readonly timeout?: number;
}

/** In bytes. The list has a few hundred entries. */
const MAX_RESPONSE = 1024 * 1024;

const Meta = Type.Object({ hooks: Type.Array(Type.String()) });

/**
 * Downloads the list, without following redirects. Rejects with an {@link AppError} `failed` when there is no response,
 * or the response is not such a list.
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
  const decoded = decodeJsonBody(result.body);
  if (decoded.kind === "unreadable") throw failure(`the response of ${host} is not JSON`);
  if (!Value.Check(Meta, decoded.value)) {
    throw failure(`the response of ${host} has no list of ranges under "hooks"`);
  }
  const { hooks } = decoded.value;
  const invalid = hooks.find((range) => !isAddressRange(range));
  if (invalid !== undefined) {
    throw failure(`${host} lists ${JSON.stringify(invalid.slice(0, 60))}, which is not a range`);
  }
  return hooks;
}

function failure(reason: string): AppError {
  return new AppError("failed", `cannot download GitHub's webhook address ranges: ${reason}`);
}
