import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { findClientAddress, normaliseAddress, parseRange } from "../../src/http/address.ts";

describe("normaliseAddress", () => {
  test.each([
    ["192.0.2.1", "192.0.2.1"],
    ["::ffff:192.0.2.1", "192.0.2.1"],
    ["::FFFF:c000:201", "192.0.2.1"],
    ["0:0:0:0:0:ffff:c000:0201", "192.0.2.1"],
    ["2001:DB8:0:0:0:0:0:1", "2001:db8::1"],
    ["::1", "::1"],
  ])("writes %s as %s", (text, normal) => {
    expect(normaliseAddress(text)).toBe(normal);
  });

  test.each([
    "",
    "0177.0.0.1",
    "127.1",
    "3232235777",
    "192.0.2.1:80",
    "[::1]",
    "fe80::1%eth0",
    "hooks.test",
    "1.2.3.4 ",
  ])("takes %p for no address", (text) => {
    expect(normaliseAddress(text)).toBeNull();
  });

  test("is stable: a normal form is its own normal form", () => {
    fc.assert(
      fc.property(fc.oneof(fc.ipV4(), fc.ipV6()), (text) => {
        const normal = normaliseAddress(text);
        expect(normal).not.toBeNull();
        expect(normaliseAddress(normal ?? "")).toBe(normal);
      }),
    );
  });
});

describe("findClientAddress", () => {
  const trusted = ["10.0.0.0/8", "2001:db8::1", "::ffff:192.0.2.64/122", "::ffff:203.0.113.77"].map(
    parseRange,
  );

  test.each([
    ["an untrusted peer's own address", "192.0.2.1", "203.0.113.1", "192.0.2.1"],
    ["the peer when it forwards nothing", "10.0.0.1", null, "10.0.0.1"],
    ["the last entry of a trusted peer", "10.0.0.1", "203.0.113.1, 198.51.100.2", "198.51.100.2"],
    [
      "the last entry that is no trusted proxy",
      "10.0.0.1",
      "203.0.113.1, 198.51.100.2, 10.1.1.1",
      "198.51.100.2",
    ],
    ["an entry without its port", "10.0.0.1", "198.51.100.2:4711", "198.51.100.2"],
    ["an IPv6 entry without brackets and port", "10.0.0.1", "[2001:db8::2]:4711", "2001:db8::2"],
    ["the last good hop before garbage", "10.0.0.1", "203.0.113.1, garbage, 10.1.1.1", "10.1.1.1"],
    ["a mapped peer as the proxy it is", "::ffff:10.0.0.1", "198.51.100.2", "198.51.100.2"],
    ["the peer when a bare IPv6 range is only like it", "2001:db8:1::1", "198.51.100.2", "2001:db8:1::1"],
    ["the last entry of a proxy in a mapped range", "192.0.2.77", "198.51.100.2", "198.51.100.2"],
    ["the last entry of a mapped address", "203.0.113.77", "198.51.100.2", "198.51.100.2"],
    ["nothing when the connection is gone", null, "198.51.100.2", null],
  ])("gives %s", (_what, peer, forwardedFor, client) => {
    expect(findClientAddress(peer, forwardedFor, trusted)).toBe(client);
  });

  test("never gives an address that an untrusted peer made up, whatever it forwards", () => {
    fc.assert(
      fc.property(fc.string(), (forwardedFor) => {
        expect(findClientAddress("192.0.2.1", forwardedFor, trusted)).toBe("192.0.2.1");
      }),
    );
  });
});
