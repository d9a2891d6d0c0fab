import { expect, test } from "bun:test";
import { checkAcme } from "../../../src/cli/check/acme.ts";
import { systemClock } from "../../../src/clock.ts";
import { SERVER, serverWith } from "./settings.ts";

const settings = {
  domains: ["hooks.example.com"],
  email: null,
  directory: "https://ca.example/dir",
  ca: null,
};

test("a server without [server.acme] has nothing to be said of it", () => {
  expect(checkAcme({ server: SERVER, dataDir: "/nowhere" }, systemClock)).toEqual([]);
});

test("a certificate that is still to be got is told with what has to reach this machine", () => {
  const server = serverWith({ acme: { settings, httpPort: 8080 } });
  expect(checkAcme({ server, dataDir: "/nowhere" }, systemClock)).toEqual([
    {
      level: "ok",
      text: "automatic certificate for hooks.example.com: the next start gets it from ca.example, which must reach port 8080 of each name",
    },
  ]);
});
