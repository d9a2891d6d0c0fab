import { expect, setDefaultTimeout, test } from "bun:test";
import { existsSync, readFileSync } from "node:fs";
import { SECRET } from "../support/configuration.ts";
import type { Server } from "../support/executable.ts";
import { deliver } from "../support/github.ts";
import { pushBody } from "../support/payloads.ts";
import { Blog } from "./blog.ts";

setDefaultTimeout(120_000);

const MIB = 1024 * 1024;
/** Of the contract: so much of a deployment's output is kept. */
const KEPT = 10 * MIB;
/** Nearly twice what it takes, and less than what who held all the lines would take. */
const MOST_MEMORY = 256 * MIB;

const LINE = "a line of output that is neither long nor short, as builds print them by the thousand";

/** Commands that print 100 MB. */
const FLOODS: Readonly<Record<string, string>> = {
  "fast lines": `yes '${LINE}' | head -c 100000000`,
  "lines of 50 MB": "for character in x y; do head -c 50000000 /dev/zero | tr '\\\\0' $character; echo; done",
  "both streams at once": `yes '${LINE}' | head -c 50000000 >&2 & yes '${LINE}' | head -c 50000000; wait`,
};

/** The most memory that ever was resident, in bytes (proc_pid_status(5)). */
function peakOf({ pid }: Server): number {
  return Number(/^VmHWM:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1]) * 1024;
}

/** Sends pushes that nobody watches, one after the other, as long as a promise is open; all have to be taken. */
async function deliverUntil(blog: Blog, over: Promise<unknown>): Promise<number> {
  let isOver = false;
  const end = () => {
    isOver = true;
  };
  void over.then(end, end);
  for (let taken = 0; ; taken += 1) {
    if (isOver) return taken;
    const response = await deliver(blog.url, "push", pushBody({ ref: `refs/heads/other-${taken}` }), {
      secret: SECRET,
    });
    expect(response.status).toBe(200);
    await response.body?.cancel();
  }
}

const hasProc = existsSync("/proc/self/status");

test.skipIf(!hasProc).each(Object.entries(FLOODS))(
  "holds little of 100 MB of %s, keeps 10 MiB without the middle, and takes deliveries meanwhile (needs /proc)",
  async (_, command) => {
    await using blog = new Blog();
    await blog.serve({ keys: `run = ["echo first", ${JSON.stringify(command)}, "echo last"]` });
    const id = await blog.push({ "index.html": "one" });
    const ended = blog.ended(id);
    const taken = await deliverUntil(blog, ended);
    expect(await ended).toMatchObject({ state: "succeeded", reason: null });
    const peak = peakOf(blog.server);
    const output = await blog.output(id);
    const bytes = output.reduce((sum, line) => sum + Buffer.byteLength(line) + 1, 0);
    expect(peak).toBeLessThan(MOST_MEMORY);
    expect(taken).toBeGreaterThan(0);
    expect(output).toContain("first");
    expect(output.at(-1)).toBe("last");
    expect(output.filter((line) => /^\[… [\d,]+ lines (?:cut|dropped)/.test(line)).length).toBeGreaterThan(0);
    expect(bytes).toBeLessThan(KEPT + 1024);
    expect(bytes).toBeGreaterThan(KEPT / 2);
  },
  120_000,
);

test("keeps the lines of both streams in the order in which they were printed", async () => {
  await using blog = new Blog();
  const script = "i=0; while test $i -lt 5000; do echo out $i; echo err $i >&2; i=$((i+1)); done";
  await blog.serve({ keys: `run = [${JSON.stringify(script)}]` });
  const { id } = await blog.deploy({ "index.html": "one" });
  const printed = (await blog.output(id)).filter((line) => /^(?:out|err) \d+$/.test(line));
  const expected = Array.from({ length: 5000 }, (_, at) => [`out ${at}`, `err ${at}`]).flat();
  expect(printed).toEqual(expected);
});
