import { describe, expect, test } from "bun:test";
import { checkPublicUrl, checkSources } from "../../../src/cli/check/sources.ts";
import type { Config } from "../../../src/config/load.ts";
import { targetOf } from "../../support/target.ts";
import { serverWith } from "./settings.ts";

type Server = Partial<Config["server"]>;

const TLS = { cert: "/cert.pem", key: "/key.pem" };
const SOURCES = [
  { name: "github", provider: "github", path: "/github-webhook", print: false },
  { name: "webhook", provider: "generic", path: "/webhook", print: true },
  { name: "silent", provider: "generic", path: "/silent", print: false },
];
const TARGETS = [targetOf("blog"), targetOf("docs")];

const settings = (server: Server) => ({
  server: serverWith({ ...server }),
  sources: SOURCES,
  targets: TARGETS,
});

const told = (server: Server) =>
  checkPublicUrl(settings(server)).map(({ level, text }) => `${level} ${text}`);

describe("check of the sources", () => {
  test("shows each one's whole URL, as it is pasted into a forge, and who listens", () => {
    const remarks = checkSources(settings({ publicUrl: "https://hooks.example.com:9000/in" }));
    expect(remarks.map(({ level, text }) => `${level} ${text}`)).toEqual([
      "ok source github: https://hooks.example.com:9000/in/github-webhook for blog, docs",
      "ok source webhook: https://hooks.example.com:9000/in/webhook prints what it accepts",
      "warn source silent: https://hooks.example.com:9000/in/silent has no target that listens to it and print is off, so deliveries are only kept: give it a target, or print = true",
    ]);
  });

  test.each<[Server, string]>([
    [{}, "http://127.0.0.1:9000/github-webhook"],
    [{ host: "2001:db8::1", tls: TLS }, "https://[2001:db8::1]:9000/github-webhook"],
    [{ host: "0.0.0.0", tls: TLS }, "https://YOUR-SERVER:9000/github-webhook"],
    [{ host: "0.0.0.0", port: 0 }, "http://YOUR-SERVER:<a free port>/github-webhook"],
    [{ port: 0 }, "http://127.0.0.1:<a free port>/github-webhook"],
    [{ host: "unix:/run/hooklatch.sock" }, "unix:/run/hooklatch.sock:/github-webhook"],
  ])("guesses it where public_url is not set: %p", (server, url) => {
    expect(checkSources(settings(server))[0]?.text).toBe(`source github: ${url} for blog, docs`);
  });
});

describe("check of public_url", () => {
  test.each<Server>([
    { trustedProxies: ["127.0.0.1"] },
    { host: "unix:/run/hooklatch.sock" },
    { publicUrl: "https://hooks.example.com", port: 443, tls: TLS, host: "0.0.0.0" },
    { publicUrl: "https://hooks.example.com:9000", tls: TLS },
    { publicUrl: "https://hooks.example.com", port: 0, tls: TLS },
    { publicUrl: "https://hooks.example.com", trustedProxies: ["127.0.0.1"] },
    { publicUrl: "https://hooks.example.com", host: "unix:/run/hooklatch.sock" },
    { publicUrl: "http://127.0.0.1:9000" },
  ])("says nothing where it fits the listener, or a proxy is between them: %p", (server) => {
    expect(told(server)).toEqual([]);
  });

  test("warns of another scheme than the listener's", () => {
    expect(told({ publicUrl: "http://hooks.example.com:9000", tls: TLS })).toEqual([
      "warn public_url is http, but the listener speaks HTTPS: write https://hooks.example.com:9000",
    ]);
    expect(told({ publicUrl: "https://hooks.example.com" })).toEqual([
      "warn public_url is https, but neither [server.tls] nor [server.acme] is set: a proxy has to speak HTTPS for 127.0.0.1; name it in trusted_proxies, or set one of them",
    ]);
  });

  test("warns of another port than the listener's", () => {
    expect(told({ publicUrl: "https://hooks.example.com/in", tls: TLS })).toEqual([
      "warn public_url is on port 443, the listener on 9000: unless something forwards it, write https://hooks.example.com:9000/in",
    ]);
  });

  test("warns of a forge that cannot reach a server on loopback, where a target waits for it", () => {
    const warning =
      "warn source github: only this machine reaches 127.0.0.1, so that no push from elsewhere comes: set [server.acme] or [server.tls], or put a proxy in front, named in trusted_proxies";
    expect(told({})).toEqual([warning]);
    expect(told({ tls: TLS, host: "::1" })).toEqual([expect.stringContaining('set host = "0.0.0.0"')]);
    expect(checkPublicUrl({ ...settings({}), targets: [] })).toEqual([]);
  });

  test("warns of plain HTTP beyond this machine, whether or not a target listens", () => {
    const warning =
      "warn no TLS: payloads and verify tokens travel readable; set [server.tls] or [server.acme], or keep it behind a proxy that has it";
    expect(told({ host: "0.0.0.0" })).toEqual([warning]);
    expect(checkPublicUrl({ ...settings({ host: "0.0.0.0" }), targets: [] })).toHaveLength(1);
    expect(told({ host: "0.0.0.0", publicUrl: "http://hooks.example.com:9000" })).toEqual([warning]);
  });
});
