import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import {
  findClientAddress,
  guessKey,
  isAddressRange,
  isWithin,
  maskClient,
  normaliseAddress,
  parseRange,
  parseTrustedProxy,
  readSocketPath,
} from "../../src/lib/ip-address.ts";

const bytes = (length: number) => fc.uint8Array({ minLength: length, maxLength: length });
const address = fc.oneof(fc.ipV4(), fc.ipV6());
/** IPv6 addresses in lower and upper case, compressed or not, with or without an IPv4 part at the end. */
const spelling = fc
  .tuple(fc.ipV6(), fc.boolean())
  .map(([text, upper]) => (upper ? text.toUpperCase() : text));

/** Returns the normal form of an address, or throws. */
function normal(text: string): string {
  const form = normaliseAddress(text);
  if (form === null) throw new Error(`${text} is not an address`);
  return form;
}

/** Writes 16 bytes as eight uncompressed groups. */
function inGroups(address: Uint8Array): string {
  return Array.from({ length: 8 }, (_, at) =>
    (((address[2 * at] ?? 0) << 8) | (address[2 * at + 1] ?? 0)).toString(16),
  ).join(":");
}

/** Returns the message of the error that `action` throws. */
function messageOf(action: () => unknown): string {
  try {
    action();
  } catch (error) {
    if (error instanceof Error) return error.message;
  }
  throw new Error("there was no error");
}

describe("normaliseAddress", () => {
  test.each([
    ["192.0.2.1", "192.0.2.1"],
    ["::ffff:192.0.2.1", "192.0.2.1"],
    ["::FFFF:c000:201", "192.0.2.1"],
    ["0:0:0:0:0:ffff:c000:0201", "192.0.2.1"],
    ["2001:DB8:0:0:0:0:0:1", "2001:db8::1"],
    ["2001:db8::192.0.2.1", "2001:db8::c000:201"],
    ["::192.0.2.1", "::c000:201"],
    ["::", "::"],
    ["::1", "::1"],
  ])("converts %s to %s", (text, expected) => {
    expect(normaliseAddress(text)).toBe(expected);
  });

  test.each([
    "",
    "0177.0.0.1",
    "127.1",
    "3232235777",
    "0x7f000001",
    "192.0.2.1:80",
    "192.0.2.1/32",
    "::ffff:192.0.2.01",
    "::ffff:192.0.2.256",
    "[::1]",
    "fe80::1%eth0",
    "fe80::1%25eth0",
    "::ffff:192.0.2.1%1",
    "1::2::3",
    "12345::",
    "unix",
    "hooks.test",
    "1.2.3.4 ",
    "1.2.3.4\n",
  ])("returns null for %p", (text) => {
    expect(normaliseAddress(text)).toBeNull();
  });

  test("is idempotent", () => {
    fc.assert(fc.property(fc.oneof(address, spelling), (text) => normal(normal(text)) === normal(text)));
  });

  test("formats IPv6 addresses, except mapped ones, like the URL standard, which follows RFC 5952", () => {
    fc.assert(
      fc.property(bytes(16), fc.nat(16), fc.nat(16), (all, from, until) => {
        const text = inGroups(all.fill(0, from, until));
        fc.pre(!/^0:0:0:0:0:ffff:/.test(text));
        expect(`[${normal(text)}]`).toBe(new URL(`http://[${text}]/`).hostname);
      }),
    );
  });

  test("recognises an IPv4 address in all its mapped forms", () => {
    fc.assert(
      fc.property(bytes(4), (four) => {
        const text = four.join(".");
        const mapped = inGroups(Uint8Array.of(...new Uint8Array(10), 0xff, 0xff, ...four));
        for (const form of [text, `::ffff:${text}`, `::FFFF:${text}`, mapped])
          expect(normal(form)).toBe(text);
      }),
    );
  });

  test("returns a normal form or null for any text", () => {
    fc.assert(
      fc.property(fc.oneof(fc.string({ unit: "binary" }), fc.stringMatching(/^[0-9a-f:.%/]*$/)), (text) => {
        const form = normaliseAddress(text);
        expect(form === null || normaliseAddress(form) === form).toBe(true);
      }),
    );
  });
});

describe("isAddressRange", () => {
  test.each([
    "192.0.2.1",
    "10.0.0.0/8",
    "0.0.0.0/0",
    "2001:db8::/32",
    "::/0",
    "::1/128",
    "::ffff:10.0.0.0/104",
  ])("returns true for %s", (text) => {
    expect(isAddressRange(text)).toBe(true);
    expect(parseRange(text)).toHaveLength(2);
  });

  test.each([
    "",
    "/",
    "10.1",
    "10.0.0.0/",
    "10.0.0.0/33",
    "10.0.0.0/08",
    "10.0.0.0/+8",
    "10.0.0.0/8/8",
    "10.0.0.0/255.0.0.0",
    "::/129",
    "fe80::%eth0/10",
    "[::]/0",
    " ::1",
    "github",
    "unix",
  ])("returns false for %p", (text) => {
    expect(isAddressRange(text)).toBe(false);
    expect(() => parseRange(text)).toThrow();
  });

  test("returns true exactly when parseRange accepts the text", () => {
    const message = messageOf(() => parseRange("unix"));
    expect(message).toMatchSnapshot();
    fc.assert(
      fc.property(fc.oneof(fc.string({ unit: "binary" }), fc.stringMatching(/^[0-9a-f:./]*$/)), (text) => {
        if (isAddressRange(text)) parseRange(text);
        else expect(messageOf(() => parseRange(text))).toBe(message);
      }),
    );
  });
});

describe("isWithin", () => {
  /** Compares the first `count` bits one by one. */
  function sharesBits(a: Uint8Array, b: Uint8Array, count: number): boolean {
    const bit = (bytes: Uint8Array, at: number) => ((bytes[at >> 3] ?? 0) >> (7 - (at & 7))) & 1;
    return Array.from({ length: count }, (_, at) => bit(a, at) === bit(b, at)).every(Boolean);
  }

  /** Returns an address that has the first `shared` bits of a network and the other bits of `other`. */
  function mix(network: Uint8Array, other: Uint8Array, shared: number): Uint8Array {
    return network.map((byte, at) => {
      const sharedBits = Math.min(8, Math.max(0, shared - 8 * at));
      const mask = (0xff00 >> sharedBits) & 0xff;
      return (byte & mask) | ((other[at] ?? 0) & ~mask);
    });
  }

  test.each([
    ["IPv4", 4, (address: Uint8Array) => address.join(".")],
    ["IPv6", 16, inGroups],
  ] as const)("agrees with a bitwise comparison of %s addresses", (_family, length, writeOut) => {
    fc.assert(
      fc.property(
        bytes(length),
        bytes(length),
        fc.nat(8 * length),
        fc.nat(8 * length),
        (network, other, shared, bits) => {
          const candidate = mix(network, other, shared);
          // A mapped IPv6 address counts as IPv4, which the other row covers.
          fc.pre(normal(writeOut(candidate)).includes(".") === (length === 4));
          const range = parseRange(`${writeOut(network)}/${bits}`);
          expect(isWithin(normal(writeOut(candidate)), [range])).toBe(sharesBits(network, candidate, bits));
        },
      ),
    );
  });

  test("returns false when the address and the range are of different families", () => {
    expect(isWithin("192.0.2.1", [parseRange("::/0")])).toBe(false);
    expect(isWithin("2001:db8::1", [parseRange("0.0.0.0/0")])).toBe(false);
  });

  test("returns false for text that is not an address", () => {
    const everything = ["0.0.0.0/0", "::/0"].map(parseRange);
    for (const text of ["", "unix", "unknown", "hooks.test"]) expect(isWithin(text, everything)).toBe(false);
  });
});

describe("findClientAddress", () => {
  const trusted = ["10.0.0.0/8", "2001:db8::1", "::ffff:192.0.2.64/122", "::ffff:203.0.113.77"].map(
    parseTrustedProxy,
  );

  test.each([
    ["the address of an untrusted peer", "192.0.2.1", "203.0.113.1", "192.0.2.1"],
    ["null when the header is missing", "10.0.0.1", null, null],
    ["null when the header is empty", "10.0.0.1", "", null],
    ["null when the client is unknown to the proxy", "10.0.0.1", "unknown", null],
    ["the last entry from a trusted peer", "10.0.0.1", "203.0.113.1, 198.51.100.2", "198.51.100.2"],
    [
      "the last entry that is not a trusted proxy",
      "10.0.0.1",
      "203.0.113.1, 198.51.100.2, 10.1.1.1",
      "198.51.100.2",
    ],
    ["null when all are trusted proxies", "10.0.0.1", "10.0.0.3,10.0.0.2", null],
    ["an IPv4 entry without its port", "10.0.0.1", "198.51.100.2:4711", "198.51.100.2"],
    ["an IPv6 entry without brackets and port", "10.0.0.1", "[2001:db8::2]:4711", "2001:db8::2"],
    ["an IPv6 entry without brackets", "10.0.0.1", "\t[2001:DB8:0::2] ", "2001:db8::2"],
    [
      "an ambiguous IPv6 entry as an address without a port",
      "10.0.0.1",
      "2001:db8::2:4711",
      "2001:db8::2:4711",
    ],
    ["a mapped entry as an IPv4 address", "10.0.0.1", "[::FFFF:c633:6402]:1", "198.51.100.2"],
    ["null when a trusted hop reports garbage", "10.0.0.1", "203.0.113.1, garbage, 10.1.1.1", null],
    ["null when a trusted hop reports an empty entry", "10.0.0.1", "203.0.113.1,,10.1.1.1", null],
    ["null when a trusted hop reports an entry with a zone", "10.0.0.1", "203.0.113.1, fe80::1%eth0", null],
    ["null when a trusted hop reports a quoted entry", "10.0.0.1", '"198.51.100.2"', null],
    ["null when a trusted hop reports an invalid port", "10.0.0.1", "198.51.100.2:port", null],
    ["null when a trusted hop reports an IPv4 entry in brackets", "10.0.0.1", "[198.51.100.2]", null],
    [
      "the last entry from a trusted peer with a mapped address",
      "::ffff:10.0.0.1",
      "198.51.100.2",
      "198.51.100.2",
    ],
    [
      "the peer when it only resembles a trusted IPv6 address",
      "2001:db8:1::1",
      "198.51.100.2",
      "2001:db8:1::1",
    ],
    ["the last entry from a peer in a trusted mapped range", "192.0.2.77", "198.51.100.2", "198.51.100.2"],
    [
      "the last entry from a peer that is trusted by its mapped address",
      "203.0.113.77",
      "198.51.100.2",
      "198.51.100.2",
    ],
    ["null when the connection is closed", null, "198.51.100.2", null],
    ["null when the unix socket is not trusted", "unix", "198.51.100.2", null],
  ])("returns %s", (_what, peer, forwardedFor, client) => {
    expect(findClientAddress(peer, forwardedFor, trusted)).toBe(client);
  });

  test.each([
    ["the last entry", "203.0.113.1, 198.51.100.2", "198.51.100.2"],
    ["the last entry that is not a trusted proxy", "198.51.100.2, 10.1.1.1", "198.51.100.2"],
    ["null without a header", null, null],
    ["null when the last entry is invalid", "198.51.100.2, unix", null],
  ])("returns %s for a trusted unix socket", (_what, forwardedFor, client) => {
    expect(findClientAddress("unix", forwardedFor, [...trusted, "unix"])).toBe(client);
  });

  test("ignores the header of an untrusted peer", () => {
    fc.assert(
      fc.property(fc.string({ unit: "binary" }), (forwardedFor) => {
        expect(findClientAddress("192.0.2.1", forwardedFor, trusted)).toBe("192.0.2.1");
        expect(findClientAddress("unix", forwardedFor, trusted)).toBeNull();
      }),
    );
  });

  test("ignores the entries before the last one that is not a trusted proxy", () => {
    const left = fc.oneof(
      fc.string({ unit: "binary" }),
      fc.array(address).map((all) => all.join(", ")),
    );
    const proxies = fc.array(fc.constantFrom("10.0.0.2", "::ffff:10.0.0.3", "[2001:db8::1]:443"));
    fc.assert(
      fc.property(left, proxies, fc.constantFrom("10.0.0.1", "unix"), (spoofed, hops, peer) => {
        const forwardedFor = [spoofed, "198.51.100.2:80", ...hops].join(",");
        expect(findClientAddress(peer, forwardedFor, [...trusted, "unix"])).toBe("198.51.100.2");
      }),
    );
  });

  test("returns a normal form or null for any input", () => {
    const text = fc.oneof(fc.string({ unit: "binary" }), address, fc.constantFrom("10.0.0.1", "unix"));
    fc.assert(
      fc.property(text, fc.array(text), (peer, entries) => {
        const client = findClientAddress(peer, entries.join(","), [...trusted, "unix"]);
        expect(client === null || normaliseAddress(client) === client).toBe(true);
      }),
    );
  });
});

describe("maskClient", () => {
  test.each([
    ["2001:db8:1:2:3:4:5:6", 128, "2001:db8:1:2:3:4:5:6"],
    ["2001:db8:1:2:3:4:5:6", 64, "2001:db8:1:2::"],
    ["2001:db8:1:2:3:4:5:6", 80, "2001:db8:1:2:3::"],
    ["2001:db8:1:2:ffff:4:5:6", 65, "2001:db8:1:2:8000::"],
    ["2001:db8:1:2:3:4:5:7", 127, "2001:db8:1:2:3:4:5:6"],
    ["192.0.2.1", 64, "192.0.2.1"],
    ["unknown", 64, "unknown"],
  ])("masks %s to %p bits: %s", (text, prefix, expected) => {
    expect(maskClient(text, prefix)).toBe(expected);
  });

  test("returns a normal form in the same range and is idempotent", () => {
    fc.assert(
      fc.property(address.map(normal), fc.integer({ min: 64, max: 128 }), (text, prefix) => {
        const masked = maskClient(text, prefix);
        expect(masked).toBe(normal(masked));
        expect(maskClient(masked, prefix)).toBe(masked);
        if (text.includes(":")) expect(isWithin(text, [parseRange(`${masked}/${prefix}`)])).toBe(true);
      }),
    );
  });
});

describe("guessKey", () => {
  test("is the same for all addresses of an IPv6 /64 and different for each IPv4 address", () => {
    expect(guessKey("2001:db8::1")).toBe(guessKey("2001:db8::ffff:2"));
    expect(guessKey("2001:db8::1")).not.toBe(guessKey("2001:db8:0:1::1"));
    expect(guessKey("192.0.2.1")).not.toBe(guessKey("192.0.2.2"));
  });
});

describe("readSocketPath", () => {
  test("returns the path of a unix socket and null for other hosts", () => {
    expect(readSocketPath("unix:/run/hooklatch.sock")).toBe("/run/hooklatch.sock");
    for (const host of ["127.0.0.1", "::1", "unix", "localhost"]) expect(readSocketPath(host)).toBeNull();
  });
});
