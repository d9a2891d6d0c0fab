import { describe, expect, test } from "bun:test";
import { isOwnHost } from "../../src/http/admin/index.ts";

const NAMES = ["evil.example", "evil.example:9001", "127.0.0.1.evil.example", "localhost.evil.example", ""];
const MALFORMED = [
  "127.0.0.1:9001:1",
  "[::1",
  "::1",
  "[127.0.0.1]x",
  "user@localhost",
  "localhost, evil.example",
];

describe("host check", () => {
  test.each([
    ["127.0.0.1", ["127.0.0.1", "127.0.0.1:9001", "localhost:9001", "LocalHost:1", "localhost"]],
    ["::1", ["[::1]:9001", "[0:0::1]", "localhost:8001"]],
    ["192.0.2.7", ["192.0.2.7:80", "localhost:9001", "[::ffff:192.0.2.7]:9001"]],
    ["0.0.0.0", ["127.0.0.1:9001", "192.0.2.7", "[2001:db8::1]:8001", "localhost:9001"]],
    ["::", ["[::1]:9001", "[2001:DB8::1]", "192.0.2.7:9001", "localhost"]],
    ["Admin.Internal", ["admin.internal:9001", "ADMIN.internal", "localhost:9001"]],
  ])("a listener on %p accepts its own names with any port: %p", (host, own) => {
    expect(own.filter((header) => !isOwnHost(header, host, []))).toEqual([]);
  });

  test.each(["127.0.0.1", "::1", "0.0.0.0", "::", "admin.internal"])(
    "a listener on %p rejects other names and malformed hosts",
    (host) => {
      expect([...NAMES, ...MALFORMED].filter((header) => isOwnHost(header, host, []))).toEqual([]);
    },
  );

  test.each(["127.0.0.1", "::1", "192.0.2.7"])(
    "a listener on the single address %p rejects other addresses",
    (host) => {
      expect(
        ["198.51.100.1:9001", "[2001:db8::2]:9001", "0.0.0.0"].filter((header) =>
          isOwnHost(header, host, []),
        ),
      ).toEqual([]);
    },
  );

  test("a listener with further names accepts these with any port, and no other", () => {
    const headers = ["hooklatch:9001", "Host.Docker.Internal", "hooklatch.evil.example", "evil.example:9001"];
    const others = ["Hooklatch", "host.docker.internal"];
    expect(headers.filter((header) => isOwnHost(header, "0.0.0.0", others))).toEqual(headers.slice(0, 2));
  });
});
