import { expect, test } from "bun:test";
import { type Client, hasExpired } from "../../src/domain/client.ts";

const expiresAt = new Date("2026-11-22T20:30:00Z");
const client: Client = {
  source: "webhook",
  address: "192.0.2.1",
  authorisedAt: new Date("2026-11-21T20:30:00Z"),
  expiresAt,
};

test("hasExpired returns true one millisecond after expiresAt, not at it", () => {
  expect(hasExpired(client, client.authorisedAt)).toBe(false);
  expect(hasExpired(client, expiresAt)).toBe(false);
  expect(hasExpired(client, new Date(expiresAt.getTime() + 1))).toBe(true);
});
