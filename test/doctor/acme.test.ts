import { expect, test } from "bun:test";
import { checkAcme } from "../../src/doctor/certificate.ts";
import { systemClock } from "../../src/lib/clock.ts";
import { levelsOf, linesOf } from "./results.ts";
import { SERVER, serverWith } from "./settings.ts";

const settings = {
  domains: ["hooks.example.com"],
  email: null,
  directory: "https://ca.example/dir",
  ca: null,
  eab: null,
};

test("the ACME check returns no results without [server.acme]", () => {
  expect(checkAcme({ server: SERVER, dataDir: "/nowhere" }, systemClock)).toEqual([]);
});

test("the ACME check shows the CA and the port that it must reach when there is no certificate yet", () => {
  const server = serverWith({ acme: { settings, httpPort: 8080 } });
  const lines = linesOf(checkAcme({ server, dataDir: "/nowhere" }, systemClock));
  expect(levelsOf(lines)).toEqual(["ok"]);
  for (const fact of ["hooks.example.com", "ca.example", "8080"]) expect(lines[0]).toContain(fact);
  expect(lines).toMatchSnapshot();
});
