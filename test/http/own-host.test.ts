import { describe, expect, test } from "bun:test";
import { recogniseHost } from "../../src/http/own-host.ts";

const NAMES = ["evil.example", "evil.example:9001", "127.0.0.1.evil.example", "localhost.evil.example", ""];
const MALFORMED = [
  "127.0.0.1:9001:1",
  "[::1",
  "::1",
  "[127.0.0.1]x",
  "user@localhost",
  "localhost, evil.example",
];

describe("a listener's own Host", () => {
  test.each([
    ["127.0.0.1", ["127.0.0.1", "127.0.0.1:9001", "localhost:9001", "LocalHost:1", "localhost"]],
    ["::1", ["[::1]:9001", "[0:0::1]", "localhost:8001"]],
    ["192.0.2.7", ["192.0.2.7:80", "localhost:9001", "[::ffff:192.0.2.7]:9001"]],
    ["0.0.0.0", ["127.0.0.1:9001", "192.0.2.7", "[2001:db8::1]:8001", "localhost:9001"]],
    ["::", ["[::1]:9001", "[2001:DB8::1]", "192.0.2.7:9001", "localhost"]],
    ["Admin.Internal", ["admin.internal:9001", "ADMIN.internal", "localhost:9001"]],
  ])("at %p is its address or name, and localhost, by any port: %p", (host, own) => {
    expect(own.filter((header) => !recogniseHost(host)(header))).toEqual([]);
  });

  test.each(["127.0.0.1", "::1", "0.0.0.0", "::", "admin.internal"])(
    "at %p is no other name, and nothing that is no host",
    (host) => {
      expect([...NAMES, ...MALFORMED].filter(recogniseHost(host))).toEqual([]);
    },
  );

  test.each(["127.0.0.1", "::1", "192.0.2.7"])("at the one address %p is no other address", (host) => {
    expect(["198.51.100.1:9001", "[2001:db8::2]:9001", "0.0.0.0"].filter(recogniseHost(host))).toEqual([]);
  });
});
