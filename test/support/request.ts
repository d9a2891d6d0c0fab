import type { Destination, RawRequest } from "../../src/domain/provider.ts";

/** Where and when tests send composed requests. */
export const DESTINATION: Destination = {
  path: "/hook",
  query: new URLSearchParams(),
  now: new Date("2026-11-21T20:30:00Z"),
};

/** A POST as received. */
export function post(
  headers: ConstructorParameters<typeof Headers>[0],
  body: string | Uint8Array,
  query = "",
): RawRequest {
  return {
    method: "POST",
    path: DESTINATION.path,
    query: new URLSearchParams(query),
    headers: new Headers(headers),
    body: typeof body === "string" ? Buffer.from(body) : body,
  };
}
