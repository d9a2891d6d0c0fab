import { afterEach, beforeEach, describe, expect, setDefaultTimeout, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describeTarget, SECRET, writeConfiguration } from "../support/configuration.ts";
import { type Server, Workshop } from "../support/executable.ts";
import { Repository } from "../support/git.ts";
import { deliver } from "../support/github.ts";
import { pingBody, pushBody } from "../support/payloads.ts";
import { Kept } from "../support/stored-data.ts";
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

async function restartAfterKill(): Promise<void> {
  await server.end("SIGKILL");
  server = await workshop.serve([], { SECRET });
}

/** The status code and JSON of a response. */
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

/** Sends a push of a commit as a new delivery. */
const push = (after: string) => send(pushBody({ after }), crypto.randomUUID());

const untilIdle = () => server.until(() => Kept.read(data(), (store) => store.unfinished === 0));

const commitPages = (count: number) =>
  Array.from({ length: count }, (_, index) => repository.commit({ "index.html": `${index + 1}\n` }));

describe("twenty pushes at once", () => {
  test("are deployed one at a time, the last commit is live, and all deployments are stored", async () => {
    await serve(`["mkdir ${site("only-one")} && sleep 0.1 && rmdir ${site("only-one")}"]`);
    const answers = await Promise.all(commitPages(20).map(push));
    expect(answers.map(({ code }) => code)).toEqual(Array.from({ length: 20 }, () => 202));
    await untilIdle();
    expect(page()).toBe("20\n");
    const deployments = Kept.read(data(), (store) => store.deployments());
    expect(deployments).toHaveLength(20);
    expect(deployments.at(-1)).toMatchObject({ state: "succeeded", commit: repository.tip });
    const states = new Set(deployments.map(({ state }) => state));
    expect([...states].toSorted()).toEqual(["succeeded", "superseded"]);
  });

  test("during a kill are all stored once they are sent again, and the last commit is live", async () => {
    await serve(`["sleep 0.1"]`);
    const requests = commitPages(20).map((after) => ({ body: pushBody({ after }), id: crypto.randomUUID() }));
    const sent = Promise.allSettled(requests.map(({ body, id }) => send(body, id)));
    const isPending = (state: string) => state === "queued" || state === "superseded";
    await server.until(() =>
      Kept.read(data(), (store) => store.deployments().some(({ state }) => !isPending(state))),
    );
    await restartAfterKill();
    for (const [index, outcome] of (await sent).entries()) {
      const { body, id } = requests[index] ?? { body: "", id: "" };
      if (outcome.status === "rejected") expect(await send(body, id)).toMatchObject({ code: 202 });
    }
    await untilIdle();
    expect(page()).toBe("20\n");
    expect(Kept.read(data(), (store) => store.bodiesKeptTwice)).toBe(0);
    const deployments = Kept.read(data(), (store) => store.deployments());
    expect(new Set(deployments.map(({ delivery }) => delivery)).size).toBeGreaterThanOrEqual(20);
    expect(deployments.at(-1)).toMatchObject({ state: "succeeded", commit: repository.tip });
  });
});

describe("the tip stays live", () => {
  test("when an old push arrives late, before and after a kill", async () => {
    await serve();
    const [first = "", second = "", third = ""] = commitPages(3);
    await push(third);
    await untilIdle();
    expect(page()).toBe("3\n");
    expect(await push(second)).toMatchObject({ code: 202 });
    await untilIdle();
    expect(page()).toBe("3\n");
    await restartAfterKill();
    expect(await push(first)).toMatchObject({ code: 202 });
    await untilIdle();
    expect(page()).toBe("3\n");
    const deployments = Kept.read(data(), (store) => store.deployments());
    expect(deployments.map(({ state, commit }) => [state, commit])).toEqual(
      Array.from({ length: 3 }, () => ["succeeded", third]),
    );
  });

  test("after a forced push, before and after a kill", async () => {
    await serve();
    const [first = "", second = ""] = commitPages(2);
    await push(second);
    await untilIdle();
    repository.git("reset", "--quiet", "--hard", first);
    const forced = repository.commit({ "index.html": "forced\n" });
    await push(forced);
    await untilIdle();
    expect(page()).toBe("forced\n");
    repository.git("reset", "--quiet", "--hard", first);
    const forcedAgain = repository.commit({ "index.html": "forced again\n" });
    await push(forcedAgain);
    await restartAfterKill();
    await untilIdle();
    expect(page()).toBe("forced again\n");
  });

  test.skipIf(!isLong)(
    `when a push of an overwritten commit arrives, which the deployment reports after a minute${isLong ? "" : " (only in the long form)"}`,
    async () => {
      await serve();
      const [first = "", second = ""] = commitPages(2);
      repository.git("reset", "--quiet", "--hard", first);
      const forced = repository.commit({ "index.html": "forced\n" });
      await push(second);
      await untilIdle();
      expect(page()).toBe("forced\n");
      const [deployment] = Kept.read(data(), (store) => store.deployments());
      expect(deployment).toMatchObject({ state: "succeeded", commit: forced });
      expect(deployment?.reason).toContain(second.slice(0, 12));
    },
  );
});

describe("a repeated delivery", () => {
  test("from the same hook is stored as a redelivery of the first and deployed again, also after a kill", async () => {
    await serve();
    const body = pushBody({ after: repository.commit({ "index.html": "hello\n" }) });
    const id = crypto.randomUUID();
    expect(await send(body, id)).toMatchObject({ code: 202, status: "ok", delivery: 1 });
    expect(await send(body, id)).toMatchObject({ code: 202, status: "ok", delivery: 2 });
    await restartAfterKill();
    const third = await send(body, id);
    expect(third).toMatchObject({ code: 202, status: "ok" });
    await untilIdle();
    Kept.read(data(), (store) => {
      expect(store.redeliveryOf(1)).toBeNull();
      expect(store.redeliveryOf(2)).toBe(1);
      expect(store.redeliveryOf(third.delivery)).toBe(1);
      const last = store.deployments().find(({ delivery }) => delivery === third.delivery);
      expect(last).toMatchObject({ state: "succeeded", trigger: "redelivery" });
    });
  });

  test("from another hook is a duplicate of the first and stores nothing, also after a kill", async () => {
    await serve();
    const body = pushBody({ after: repository.commit({ "index.html": "hello\n" }) });
    const id = crypto.randomUUID();
    expect(await send(body, id)).toMatchObject({ code: 202, delivery: 1 });
    await untilIdle();
    const duplicate = { code: 200, status: "duplicate", delivery: 1 };
    expect(await send(body, id, ANOTHER_HOOK)).toEqual(duplicate);
    await restartAfterKill();
    expect(await send(body, id, ANOTHER_HOOK)).toEqual(duplicate);
    Kept.read(data(), (store) => {
      expect(store.deliveries).toBe(1);
      expect(store.deployments()).toHaveLength(1);
    });
  });

  test("with the same body and a new ID is a duplicate of the first and stores nothing, also after a kill", async () => {
    await serve();
    const after = repository.commit({ "index.html": "hello\n" });
    expect(await push(after)).toMatchObject({ code: 202, delivery: 1 });
    await untilIdle();
    const duplicate = { code: 200, status: "duplicate", delivery: 1 };
    expect(await push(after)).toEqual(duplicate);
    await restartAfterKill();
    expect(await push(after)).toEqual(duplicate);
    expect(await send(pushBody({ after }), crypto.randomUUID(), ANOTHER_HOOK)).toEqual(duplicate);
    Kept.read(data(), (store) => {
      expect(store.deliveries).toBe(1);
      expect(store.deployments()).toHaveLength(1);
    });
  });

  test("is the first when the original was rejected", async () => {
    await serve();
    const body = pushBody({ after: repository.commit({ "index.html": "hello\n" }) });
    const id = crypto.randomUUID();
    const url = new URL("/github-webhook", server.url);
    const rejected = await deliver(url, "push", body, { secret: "not the secret of the tests", id });
    expect(rejected.status).toBe(401);
    expect(await send(body, id)).toMatchObject({ code: 202, status: "ok", delivery: 1 });
    expect(Kept.read(data(), (store) => store.redeliveryOf(1))).toBeNull();
  });

  test("of a ping receives pong each time", async () => {
    await serve();
    const id = crypto.randomUUID();
    const answers = [await send(pingBody(), id, HOOK, "ping"), await send(pingBody(), id, HOOK, "ping")];
    await restartAfterKill();
    answers.push(await send(pingBody(), crypto.randomUUID(), ANOTHER_HOOK, "ping"));
    for (const answer of answers) expect(answer).toMatchObject({ code: 200, status: "pong" });
  });
});

describe("concurrent identical requests", () => {
  const ROUNDS = times({ short: 10, long: 200 });
  const AT_ONCE = 8;

  /** Sends the requests at once, optionally kills the server, and repeats the unanswered requests. */
  async function sendAtOnce(requests: readonly (() => Promise<Answer>)[], kill: boolean): Promise<Answer[]> {
    const sent = Promise.allSettled(requests.map((request) => request()));
    if (kill) await restartAfterKill();
    const outcomes = await sent;
    const answers: Answer[] = [];
    for (const [index, outcome] of outcomes.entries()) {
      answers.push(outcome.status === "fulfilled" ? outcome.value : ((await requests[index]?.()) as Answer));
    }
    return answers;
  }

  const eight = <T>(make: (index: number) => T) => Array.from({ length: AT_ONCE }, (_, index) => make(index));

  test("with new IDs result in exactly one first delivery and duplicates of it", async () => {
    await serve();
    const after = repository.commit({ "index.html": "hello\n" });
    for (let round = 1; round <= ROUNDS; round++) {
      const body = pushBody({ after, round });
      const requests = eight(() => () => send(body, crypto.randomUUID()));
      const answers = await sendAtOnce(requests, round % 5 === 0);
      const firsts = new Set(answers.map(({ delivery }) => delivery));
      expect(firsts.size).toBe(1);
      // The kill may have prevented the response to the first delivery.
      expect(answers.filter(({ status }) => status === "ok").length).toBeLessThanOrEqual(1);
      if (round % 5 !== 0) expect(answers.filter(({ status }) => status === "ok")).toHaveLength(1);
    }
    Kept.read(data(), (store) => {
      expect(store.deliveries).toBe(ROUNDS);
      expect(store.bodiesKeptTwice).toBe(0);
    });
  });

  test("with the same ID from different hooks result in exactly one first delivery and duplicates of it", async () => {
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
    expect(Kept.read(data(), (store) => store.deliveries)).toBe(ROUNDS);
  });

  test("with the same ID from the same hook result in exactly one first delivery and redeliveries of it", async () => {
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
      Kept.read(data(), (store) => {
        const firsts = numbers.filter((number) => store.redeliveryOf(number) === null);
        expect(firsts.length).toBeLessThanOrEqual(1);
        if (round % 5 !== 0) expect(firsts).toHaveLength(1);
      });
    }
    expect(Kept.read(data(), (store) => store.bodiesKeptTwice)).toBe(0);
  });
});
