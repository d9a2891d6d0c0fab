import { afterEach, beforeEach, expect, setDefaultTimeout, test } from "bun:test";
import { existsSync, mkdirSync, writeFileSync } from "node:fs";
import { connect } from "node:net";
import { join } from "node:path";
import { readEvents } from "../http/read-events.ts";
import { type Server, Workshop } from "../support/executable.ts";
import { freePort } from "../support/free-port.ts";

setDefaultTimeout(120_000);

const TOKEN = "a-token-of-the-tests-long-enough";

let workshop: Workshop;
beforeEach(() => {
  workshop = new Workshop();
});
afterEach(() => workshop.dispose());

/** Starts a server with a source `hook` that has these keys, and targets that run these commands. */
async function serve(keys: string, ...commands: readonly string[]): Promise<Server> {
  const targets = commands.map((command, at) => {
    mkdirSync(join(workshop.path, `job-${at}`));
    return `[[target]]\nname = "job-${at}"\nsource = "hook"\ndirectory = "job-${at}"\nrun = [${JSON.stringify(command)}]\n`;
  });
  workshop.write(
    "hooklatch.toml",
    `data_dir = "data"
[server]
port = 0
shutdown_grace = "1s"
[admin]
port = ${freePort()}
[[source]]
name = "hook"
provider = "generic"
path = "/hook"
bearer = ["env:TOKEN"]
${keys}
${targets.join("\n")}`,
  );
  return workshop.serve([], { TOKEN });
}

function send(server: Server, headers: Record<string, string> = {}): Promise<Response> {
  return fetch(new URL("/hook", server.url), {
    method: "POST",
    body: '{"hello":"world"}',
    headers: { "content-type": "application/json", authorization: `Bearer ${TOKEN}`, ...headers },
  });
}

const finishedFile = () => join(workshop.path, "job-0/finished");

test("wait answers 200 with the results when the deployments have ended", async () => {
  const server = await serve('wait = "25s"', "echo built; touch finished", "seq 1 20000");
  const response = await send(server);
  expect(existsSync(finishedFile())).toBe(true);
  const answer = (await response.json()) as { deployments: readonly { output: string }[] };
  expect({ code: response.status, answer }).toMatchObject({
    code: 200,
    answer: {
      status: "success",
      delivery: 1,
      deployments: [
        {
          id: 1,
          target: "job-0",
          state: "succeeded",
          code: null,
          output: expect.stringContaining("built\n"),
        },
        { id: 2, target: "job-1", state: "succeeded" },
      ],
    },
  });
  const output = answer.deployments[1]?.output ?? "";
  expect(output.length).toBeGreaterThan(16_000);
  expect(output.length).toBeLessThanOrEqual(16_384);
  expect(output.endsWith("19999\n20000\n")).toBe(true);
});

test("wait answers 500 with the state and the output when a deployment failed", async () => {
  const server = await serve('wait = "25s"', "true", "echo broken; exit 3");
  const response = await send(server);
  expect({ code: response.status, answer: await response.json() }).toMatchObject({
    code: 500,
    answer: {
      status: "failed",
      delivery: 1,
      deployments: [
        { target: "job-0", state: "succeeded" },
        {
          target: "job-1",
          state: "failed",
          code: "step_failed",
          output: expect.stringContaining("broken\n"),
        },
      ],
    },
  });
});

test("wait answers 202 with the states when the time is over", async () => {
  const server = await serve('wait = "1s"', "sleep 3; touch finished");
  const response = await send(server);
  expect({ code: response.status, answer: await response.json() }).toMatchObject({
    code: 202,
    answer: { status: "success", delivery: 1, deployments: [{ target: "job-0", state: "running" }] },
  });
  expect(await server.untilDeployed(1)).toMatchObject({ state: "succeeded" });
  expect(existsSync(finishedFile())).toBe(true);
});

test("a sender that hangs up changes nothing", async () => {
  const server = await serve('wait = "25s"', "sleep 1; touch finished");
  const { hostname, port } = new URL(server.url);
  const socket = connect(Number(port), hostname);
  const body = '{"hello":"world"}';
  socket.write(
    `POST /hook HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nAuthorization: Bearer ${TOKEN}\r\nContent-Length: ${body.length}\r\n\r\n${body}`,
  );
  await server.until(() => server.log.some(({ delivery }) => delivery === 1));
  socket.destroy();
  expect(await server.untilDeployed(1)).toMatchObject({ state: "succeeded" });
  expect(existsSync(finishedFile())).toBe(true);
  expect(server.log.filter(({ level }) => level === "error")).toEqual([]);
  expect((await send(server)).status).toBe(200);
});

test("a sender that waits is answered when the server stops", async () => {
  const server = await serve('wait = "25s"', "sleep 30");
  const pending = send(server);
  await server.until(() => server.log.some(({ trigger }) => trigger !== undefined));
  const [response] = await Promise.all([pending, server.end("SIGTERM")]);
  expect(response.status).toBe(202);
  expect(await response.json()).toMatchObject({ delivery: 1, deployments: [{ target: "job-0" }] });
});

test("Accept: text/event-stream streams the output as it comes, only where the source waits", async () => {
  const server = await serve(
    'wait = "1s"',
    "echo one; while [ ! -e ../go ]; do sleep 0.05; done; echo two",
    "exit 1",
  );
  const response = await send(server, { accept: "text/event-stream" });
  expect(response.status).toBe(200);
  expect(response.headers.get("content-type")).toBe("text/event-stream");
  // Longer than `wait`, which is for answers that are sent at once.
  setTimeout(() => writeFileSync(join(workshop.path, "go"), ""), 1500);
  const events = (await readEvents(response)).map(({ event, data }) =>
    event === "line" ? data : { event, ...JSON.parse(data) },
  );
  expect(events).toMatchObject([
    { event: "delivery", delivery: 1, status: "success" },
    { event: "deployment", id: 1, target: "job-0" },
    expect.stringContaining("$ echo one"),
    "one",
    "two",
    { event: "end", id: 1, state: "succeeded" },
    { event: "deployment", id: 2, target: "job-1" },
    "$ exit 1",
    { event: "end", id: 2, state: "failed", code: "step_failed" },
  ]);
});

test("a sender that hangs up while the output is streamed changes nothing", async () => {
  const server = await serve(
    'wait = "25s"',
    "echo one; while [ ! -e ../go ]; do sleep 0.05; done; touch finished",
  );
  const leaving = new AbortController();
  const response = await fetch(new URL("/hook", server.url), {
    method: "POST",
    body: '{"hello":"world"}',
    signal: leaving.signal,
    headers: {
      "content-type": "application/json",
      authorization: `Bearer ${TOKEN}`,
      accept: "text/event-stream",
    },
  });
  const decoder = new TextDecoder();
  let seen = "";
  for await (const chunk of response.body ?? []) {
    seen += decoder.decode(chunk, { stream: true });
    if (seen.includes("data: one\n")) break;
  }
  leaving.abort();
  writeFileSync(join(workshop.path, "go"), "");
  expect(await server.untilDeployed(1)).toMatchObject({ state: "succeeded" });
  expect(existsSync(finishedFile())).toBe(true);
  expect(server.log.filter(({ level }) => level === "error")).toEqual([]);
  expect((await send(server)).status).toBe(200);
});

test("many senders that hang up leave nothing behind that delays the next one or the end", async () => {
  const server = await serve('wait = "25s"', "sleep 0.2");
  const leaving = new AbortController();
  const waiting = Array.from({ length: 60 }, (_, at) =>
    fetch(new URL("/hook", server.url), {
      method: "POST",
      body: `{"number":${at}}`,
      signal: leaving.signal,
      headers: {
        "content-type": "application/json",
        authorization: `Bearer ${TOKEN}`,
        ...(at % 2 === 0 && { accept: "text/event-stream" }),
      },
    }).then(
      ({ status }) => status,
      () => "hung up",
    ),
  );
  await server.until(() => server.log.filter(({ delivery }) => delivery !== undefined).length >= 60);
  leaving.abort();
  await Promise.all(waiting);
  // Every one of them runs, because a target without repository runs for each delivery.
  for (const id of [1, 30, 60]) {
    expect(await server.untilDeployed(id)).toMatchObject({ state: "succeeded" });
  }
  expect(server.log.filter(({ level }) => level === "error")).toEqual([]);
  const begun = performance.now();
  expect(await server.end("SIGTERM")).toBe(0);
  expect(performance.now() - begun).toBeLessThan(10_000);
});

test.each(["application/json", "text/event-stream"])(
  "a duplicate is answered at once, while the first one still waits (%s)",
  async (accept) => {
    const server = await serve(
      'wait = "25s"\nid_header = "X-Id"\non_redelivery = "skip"',
      "while [ ! -e ../go ]; do sleep 0.05; done",
    );
    const first = send(server, { "x-id": "1" });
    await server.until(() => server.log.some(({ delivery }) => delivery === 1));
    const read = async (response: Response) =>
      response.headers.get("content-type") === "text/event-stream"
        ? JSON.parse((await readEvents(response))[0]?.data ?? "{}")
        : response.json();
    const duplicate = await send(server, { "x-id": "1", accept });
    expect(duplicate.status).toBe(200);
    expect(await read(duplicate)).toMatchObject({ status: "duplicate", delivery: 1 });
    writeFileSync(join(workshop.path, "go"), "");
    expect((await first).status).toBe(200);
  },
);

test("without wait no sender sees output", async () => {
  const server = await serve("", "echo hidden");
  const response = await send(server, { accept: "text/event-stream" });
  expect(response.status).toBe(202);
  expect(await response.text()).not.toContain("hidden");
});

test("response is the answer to every accepted delivery, and to no other", async () => {
  const server = await serve(
    'id_header = "X-Id"\non_redelivery = "skip"\nresponse = { status = 201, headers = { "X-Ok" = "yes", "content-type" = "application/xml" }, body = "<ok/>" }',
    "true",
  );
  const response = await send(server);
  expect(response.status).toBe(201);
  expect(response.headers.get("x-ok")).toBe("yes");
  expect(response.headers.get("content-type")).toBe("application/xml");
  expect(response.headers.get("x-content-type-options")).toBe("nosniff");
  expect(await response.text()).toBe("<ok/>");
  // Also to a delivery that no target wants, and to a repeated one.
  for (const id of ["1", "1"]) expect((await send(server, { "x-id": id })).status).toBe(201);
  const refused = await send(server, { authorization: "Bearer wrong" });
  expect(refused.status).toBe(401);
  expect(await refused.json()).toEqual({ status: "not authorised" });
});
