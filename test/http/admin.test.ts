import { beforeEach, describe, expect, test } from "bun:test";
import type { ReplayOutcome } from "../../src/flow/replay.ts";
import { createAdmin } from "../../src/http/admin.ts";
import { equalInConstantTime } from "../../src/providers/hmac.ts";
import { logInto, secretOf } from "../support/public.ts";

const TOKEN = "an-admin-token-of-the-tests";
const HOSTS = ["127.0.0.1:9001", "localhost:9001"];

let replayed: number[];
let log: string[];
let outcome: ReplayOutcome;

beforeEach(() => {
  replayed = [];
  log = [];
  const receipt = { delivery: 7, deployments: [{ id: 3, target: "blog" }], redeliveryOf: null };
  outcome = { kind: "kept", status: "ok", reason: null, receipt };
});

function send(
  path: string,
  init: { method?: string; token?: string | null; host?: string } = {},
): Promise<Response> {
  const { method = "POST", token = TOKEN, host = "127.0.0.1:9001" } = init;
  const admin = createAdmin({
    token: secretOf(TOKEN),
    equal: equalInConstantTime,
    replay: async (id) => {
      replayed.push(id);
      return outcome;
    },
    log: logInto(log),
  });
  const headers = new Headers({ host, ...(token === null ? {} : { authorization: `Bearer ${token}` }) });
  return admin(new Request(`http://127.0.0.1:9001${path}`, { method, headers }), HOSTS);
}

describe("the admin listener", () => {
  test("runs a delivery again and answers as the sender would have been", async () => {
    const response = await send("/api/deliveries/5/replay");
    expect(response.status).toBe(202);
    expect(await response.json()).toEqual({
      status: "ok",
      delivery: 7,
      deployments: [{ id: 3, target: "blog" }],
    });
    expect(replayed).toEqual([5]);
  });

  test.each([["wrong"], [null], [""], [`${TOKEN}x`]])(
    "answers 401 and does nothing with the token %p",
    async (token) => {
      const response = await send("/api/deliveries/5/replay", { token });
      expect(response.status).toBe(401);
      expect(replayed).toEqual([]);
      expect(log.join()).not.toContain(TOKEN);
    },
  );

  test("answers 421 and does nothing under a name that is not its own", async () => {
    for (const host of ["evil.example", "evil.example:9001", "127.0.0.1", ""]) {
      expect((await send("/api/deliveries/5/replay", { host })).status).toBe(421);
    }
    expect(replayed).toEqual([]);
  });

  test("answers 404 and 405 to what there is not", async () => {
    for (const path of [
      "/",
      "/api",
      "/api/deliveries/0/replay",
      "/api/deliveries/x/replay",
      "/api/deliveries/5/replay/",
    ]) {
      expect((await send(path)).status).toBe(404);
    }
    const get = await send("/api/deliveries/5/replay", { method: "GET" });
    expect([get.status, get.headers.get("allow")]).toEqual([405, "POST"]);
    expect(replayed).toEqual([]);
  });

  test("says why a delivery cannot be run again", async () => {
    outcome = { kind: "unknown delivery" };
    expect((await send("/api/deliveries/5/replay")).status).toBe(404);
    outcome = { kind: "unreadable", reason: "source github is no longer configured" };
    const response = await send("/api/deliveries/5/replay");
    expect(response.status).toBe(409);
    expect(await response.json()).toEqual({
      status: "not replayable",
      reason: "source github is no longer configured",
    });
  });
});
