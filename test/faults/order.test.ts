import { afterEach, beforeEach, describe, expect, setDefaultTimeout, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describeTarget, SECRET, writeConfiguration } from "../support/configuration.ts";
import { type Server, Workshop } from "../support/executable.ts";
import { Repository } from "../support/git.ts";
import { deliver } from "../support/github.ts";
import { Kept } from "../support/kept.ts";
import { pingBody, pushBody } from "../support/payloads.ts";
import { isLong, times } from "./length.ts";

const HOOK = "292430182";
const ANOTHER_HOOK = "292430183";

setDefaultTimeout(times({ short: 120_000, long: 300_000 }));

let workshop: Workshop;
let repository: Repository;
let server: Server;

beforeEach(() => {
  workshop = new Workshop();
  repository = new Repository(join(workshop.path, "origin"));
});

afterEach(() => workshop.dispose());

const data = () => join(workshop.path, "data");
const site = (...path: string[]) => join(workshop.path, "site", ...path);
const page = () => readFileSync(site("current/index.html"), "utf8");

async function serve(run = "[]"): Promise<void> {
  writeConfiguration(workshop, { targets: describeTarget("blog", "site", repository, `run = ${run}`) });
  server = await workshop.serve([], { SECRET });
}

async function killAndServeAgain(): Promise<void> {
  await server.end("SIGKILL");
  server = await workshop.serve([], { SECRET });
}

/** An answer's code and JSON. */
interface Answer {
  readonly code: number;
  readonly status: string;
  readonly delivery: number;
  readonly deployments?: readonly { readonly id: number }[];
}

async function send(body: string, id: string, hook = HOOK, event = "push"): Promise<Answer> {
  const headers = { "x-github-hook-id": hook };
  const url = new URL("/github-webhook", server.url);
  const response = await deliver(url, event, body, { secret: SECRET, id, headers });
  return { code: response.status, ...((await response.json()) as Omit<Answer, "code">) };
}

/** A push of a commit, as a new delivery. */
const push = (after: string) => send(pushBody({ after }), crypto.randomUUID());

const untilQuiet = () => server.until(() => Kept.read(data(), (kept) => kept.unfinished === 0));

const commitPages = (count: number) =>
  Array.from({ length: count }, (_, index) => repository.commit({ "index.html": `${index + 1}\n` }));

describe("twenty pushes at once", () => {
  test("are deployed one at a time, the last commit is live, and all of it is on record", async () => {
    await serve(`["mkdir ${site("only-one")} && sleep 0.1 && rmdir ${site("only-one")}"]`);
    const answers = await Promise.all(commitPages(20).map(push));
    expect(answers.map(({ code }) => code)).toEqual(Array.from({ length: 20 }, () => 202));
    await untilQuiet();
    expect(page()).toBe("20\n");
    const deployments = Kept.read(data(), (kept) => kept.deployments());
    expect(deployments).toHaveLength(20);
    expect(deployments.at(-1)).toMatchObject({ state: "succeeded", commit: repository.tip });
    const states = new Set(deployments.map(({ state }) => state));
    expect([...states].toSorted()).toEqual(["succeeded", "superseded"]);
  });

  test("that a kill -9 falls into are all on record once they were sent again, and the last commit is live", async () => {
    await serve(`["sleep 0.1"]`);
    const parcels = commitPages(20).map((after) => ({ body: pushBody({ after }), id: crypto.randomUUID() }));
    const sent = Promise.allSettled(parcels.map(({ body, id }) => send(body, id)));
    await server.until(() => server.stderr.includes("deployment started"));
    await killAndServeAgain();
    for (const [index, outcome] of (await sent).entries()) {
      const { body, id } = parcels[index] ?? { body: "", id: "" };
      if (outcome.status === "rejected") expect(await send(body, id)).toMatchObject({ code: 202 });
    }
    await untilQuiet();
    expect(page()).toBe("20\n");
    expect(Kept.read(data(), (kept) => kept.bodiesKeptTwice)).toBe(0);
    const deployments = Kept.read(data(), (kept) => kept.deployments());
    expect(new Set(deployments.map(({ delivery }) => delivery)).size).toBeGreaterThanOrEqual(20);
    expect(deployments.at(-1)).toMatchObject({ state: "succeeded", commit: repository.tip });
  });
});

describe("the tip stays live", () => {
  test("when an old push is delivered late, before and after a kill -9", async () => {
    await serve();
    const [first = "", second = "", third = ""] = commitPages(3);
    await push(third);
    await untilQuiet();
    expect(page()).toBe("3\n");
    expect(await push(second)).toMatchObject({ code: 202 });
    await untilQuiet();
    expect(page()).toBe("3\n");
    await killAndServeAgain();
    expect(await push(first)).toMatchObject({ code: 202 });
    await untilQuiet();
    expect(page()).toBe("3\n");
    const deployments = Kept.read(data(), (kept) => kept.deployments());
    expect(deployments.map(({ state, commit }) => [state, commit])).toEqual(
      Array.from({ length: 3 }, () => ["succeeded", third]),
    );
  });

  test("when it was forced to another commit, before and after a kill -9", async () => {
    await serve();
    const [first = "", second = ""] = commitPages(2);
    await push(second);
    await untilQuiet();
    repository.git("reset", "--quiet", "--hard", first);
    const forced = repository.commit({ "index.html": "forced\n" });
    await push(forced);
    await untilQuiet();
    expect(page()).toBe("forced\n");
    repository.git("reset", "--quiet", "--hard", first);
    const forcedAgain = repository.commit({ "index.html": "forced again\n" });
    await push(forcedAgain);
    await killAndServeAgain();
    await untilQuiet();
    expect(page()).toBe("forced again\n");
  });

  test.skipIf(!isLong)(
    `when a push of a commit that was forced away comes a minute late, and the deployment says so${isLong ? "" : " (only in the long form)"}`,
    async () => {
      await serve();
      const [first = "", second = ""] = commitPages(2);
      repository.git("reset", "--quiet", "--hard", first);
      const forced = repository.commit({ "index.html": "forced\n" });
      await push(second);
      await untilQuiet();
      expect(page()).toBe("forced\n");
      const [deployment] = Kept.read(data(), (kept) => kept.deployments());
      expect(deployment).toMatchObject({ state: "succeeded", commit: forced });
      expect(deployment?.reason).toContain(second.slice(0, 12));
    },
  );
});

describe("the same delivery again", () => {
  test("from the same hook is kept as a redelivery of the first and runs again, over kill -9", async () => {
    await serve();
    const body = pushBody({ after: repository.commit({ "index.html": "hello\n" }) });
    const id = crypto.randomUUID();
    expect(await send(body, id)).toMatchObject({ code: 202, status: "ok", delivery: 1 });
    expect(await send(body, id)).toMatchObject({ code: 202, status: "ok", delivery: 2 });
    await killAndServeAgain();
    const third = await send(body, id);
    expect(third).toMatchObject({ code: 202, status: "ok" });
    await untilQuiet();
    Kept.read(data(), (kept) => {
      expect(kept.redeliveryOf(1)).toBeNull();
      expect(kept.redeliveryOf(2)).toBe(1);
      expect(kept.redeliveryOf(third.delivery)).toBe(1);
      const last = kept.deployments().find(({ delivery }) => delivery === third.delivery);
      expect(last).toMatchObject({ state: "succeeded", trigger: "redelivery" });
    });
  });

  test("through another hook is a duplicate of the first and keeps nothing, over kill -9", async () => {
    await serve();
    const body = pushBody({ after: repository.commit({ "index.html": "hello\n" }) });
    const id = crypto.randomUUID();
    expect(await send(body, id)).toMatchObject({ code: 202, delivery: 1 });
    await untilQuiet();
    const duplicate = { code: 200, status: "duplicate", delivery: 1 };
    expect(await send(body, id, ANOTHER_HOOK)).toEqual(duplicate);
    await killAndServeAgain();
    expect(await send(body, id, ANOTHER_HOOK)).toEqual(duplicate);
    Kept.read(data(), (kept) => {
      expect(kept.deliveries).toBe(1);
      expect(kept.deployments()).toHaveLength(1);
    });
  });

  test("as a replayed body under a new id is a duplicate of the first and keeps nothing, over kill -9", async () => {
    await serve();
    const after = repository.commit({ "index.html": "hello\n" });
    expect(await push(after)).toMatchObject({ code: 202, delivery: 1 });
    await untilQuiet();
    const duplicate = { code: 200, status: "duplicate", delivery: 1 };
    expect(await push(after)).toEqual(duplicate);
    await killAndServeAgain();
    expect(await push(after)).toEqual(duplicate);
    expect(await send(pushBody({ after }), crypto.randomUUID(), ANOTHER_HOOK)).toEqual(duplicate);
    Kept.read(data(), (kept) => {
      expect(kept.deliveries).toBe(1);
      expect(kept.deployments()).toHaveLength(1);
    });
  });

  test("is the first when what came before was not accepted", async () => {
    await serve();
    const body = pushBody({ after: repository.commit({ "index.html": "hello\n" }) });
    const id = crypto.randomUUID();
    const url = new URL("/github-webhook", server.url);
    const refused = await deliver(url, "push", body, { secret: "not the secret of the tests", id });
    expect(refused.status).toBe(401);
    expect(await send(body, id)).toMatchObject({ code: 202, status: "ok", delivery: 1 });
    expect(Kept.read(data(), (kept) => kept.redeliveryOf(1))).toBeNull();
  });

  test("as a ping is answered pong each time", async () => {
    await serve();
    const id = crypto.randomUUID();
    const answers = [await send(pingBody(), id, HOOK, "ping"), await send(pingBody(), id, HOOK, "ping")];
    await killAndServeAgain();
    answers.push(await send(pingBody(), crypto.randomUUID(), ANOTHER_HOOK, "ping"));
    for (const answer of answers) expect(answer).toMatchObject({ code: 200, status: "pong" });
  });
});

describe("identical requests at the same moment", () => {
  const ROUNDS = times({ short: 10, long: 200 });
  const AT_ONCE = 8;

  /** Sends the requests at once, kills the server now and then meanwhile, and sends again what was not answered. */
  async function sendAtOnce(requests: readonly (() => Promise<Answer>)[], kill: boolean): Promise<Answer[]> {
    const sent = Promise.allSettled(requests.map((request) => request()));
    if (kill) await killAndServeAgain();
    const outcomes = await sent;
    const answers: Answer[] = [];
    for (const [index, outcome] of outcomes.entries()) {
      answers.push(outcome.status === "fulfilled" ? outcome.value : ((await requests[index]?.()) as Answer));
    }
    return answers;
  }

  const eight = <T>(make: (index: number) => T) => Array.from({ length: AT_ONCE }, (_, index) => make(index));

  test("with new ids have exactly one first, and the others are its duplicates", async () => {
    await serve();
    const after = repository.commit({ "index.html": "hello\n" });
    for (let round = 1; round <= ROUNDS; round++) {
      const body = pushBody({ after, round });
      const requests = eight(() => () => send(body, crypto.randomUUID()));
      const answers = await sendAtOnce(requests, round % 5 === 0);
      const firsts = new Set(answers.map(({ delivery }) => delivery));
      expect(firsts.size).toBe(1);
      // The one that was first may have been killed before its answer.
      expect(answers.filter(({ status }) => status === "ok").length).toBeLessThanOrEqual(1);
      if (round % 5 !== 0) expect(answers.filter(({ status }) => status === "ok")).toHaveLength(1);
    }
    Kept.read(data(), (kept) => {
      expect(kept.deliveries).toBe(ROUNDS);
      expect(kept.bodiesKeptTwice).toBe(0);
    });
  });

  test("with the same id through other hooks have exactly one first, and the others are its duplicates", async () => {
    await serve();
    const after = repository.commit({ "index.html": "hello\n" });
    for (let round = 1; round <= ROUNDS; round++) {
      const body = pushBody({ after, round });
      const id = crypto.randomUUID();
      const answers = await sendAtOnce(
        eight((index) => () => send(body, id, String(1000 + index))),
        false,
      );
      expect(new Set(answers.map(({ delivery }) => delivery)).size).toBe(1);
      expect(answers.filter(({ status }) => status === "ok")).toHaveLength(1);
      expect(answers.filter(({ status }) => status === "duplicate")).toHaveLength(AT_ONCE - 1);
    }
    expect(Kept.read(data(), (kept) => kept.deliveries)).toBe(ROUNDS);
  });

  test("with the same id from the same hook have exactly one first, and the others are its redeliveries", async () => {
    await serve();
    const after = repository.commit({ "index.html": "hello\n" });
    for (let round = 1; round <= ROUNDS; round++) {
      const body = pushBody({ after, round });
      const id = crypto.randomUUID();
      const answers = await sendAtOnce(
        eight(() => () => send(body, id)),
        round % 5 === 0,
      );
      const numbers = answers.map(({ delivery }) => delivery);
      expect(new Set(numbers).size).toBe(AT_ONCE);
      Kept.read(data(), (kept) => {
        const firsts = numbers.filter((number) => kept.redeliveryOf(number) === null);
        expect(firsts.length).toBeLessThanOrEqual(1);
        if (round % 5 !== 0) expect(firsts).toHaveLength(1);
      });
    }
    expect(Kept.read(data(), (kept) => kept.bodiesKeptTwice)).toBe(0);
  });
});
