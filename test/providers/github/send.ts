import { expect } from "bun:test";
import { sign } from "@octokit/webhooks-methods";
import type { ParseResult, RawRequest } from "../../../src/domain/provider.ts";
import { github } from "../../../src/providers/github/index.ts";
import { post } from "../../support/request.ts";
import { loadSecret } from "../load-secret.ts";

export const SECRET = "It's a Secret to Everybody";
export const GUID = "72d3162e-cc78-11e3-81ab-4c9367dc0958";
export const NOW = new Date("2026-11-21T20:30:00Z");

export const handler = github.createHandler({ secrets: [loadSecret(SECRET)] });

/** Returns a request as GitHub sends it, written and signed without any code under test. */
export async function send(event: string, payload: unknown, form = false): Promise<RawRequest> {
  const json = typeof payload === "string" ? payload : JSON.stringify(payload);
  const body = form ? new URLSearchParams({ payload: json }).toString() : json;
  const headers = new Headers({
    "Content-Type": form ? "application/x-www-form-urlencoded" : "application/json",
    "X-GitHub-Event": event,
    "X-GitHub-Delivery": GUID,
    "X-Hub-Signature-256": await sign(SECRET, body),
  });
  return post(headers, body);
}

/** Sends such a request to the source handler, which must verify it, and returns the result of result it. */
export async function receive(event: string, payload: unknown, form = false): Promise<ParseResult> {
  const request = await send(event, payload, form);
  expect(await handler.verify(request, null, NOW)).toEqual({ kind: "verified" });
  return handler.parse(request);
}
