import { expect, setDefaultTimeout, test } from "bun:test";
import { existsSync, readFileSync } from "node:fs";
import { SECRET } from "../support/configuration.ts";
import type { Server } from "../support/executable.ts";
import { deliver } from "../support/github.ts";
import { pushBody } from "../support/payloads.ts";
import { Blog } from "./blog.ts";

setDefaultTimeout(120_000);

const MIB = 1024 * 1024;
/** The documented limit of stored output for each deployment. */
const STORED = 10 * MIB;
/** Nearly twice what the server needs, and less than it would need to hold all lines. */
const MAX_MEMORY = 256 * MIB;

const LINE = "a line of output that is neither long nor short, as builds print them by the thousand";

/** Commands that print 100 MB. */
const FLOODS: Readonly<Record<string, string>> = {
  "fast lines": `yes '${LINE}' | head -c 100000000`,
  "lines of 50 MB": "for character in x y; do head -c 50000000 /dev/zero | tr '\\0' $character; echo; done",
  "both streams at once": `yes '${LINE}' | head -c 50000000 >&2 & yes '${LINE}' | head -c 50000000; wait`,
};

/** Peak resident memory in bytes (proc_pid_status(5)). */
function peakOf({ pid }: Server): number {
  return Number(/^VmHWM:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1]) * 1024;
}

/** Sends pushes of other branches until the promise settles. Expects 200 for each and returns their number. */
async function deliverUntil(blog: Blog, done: Promise<unknown>): Promise<number> {
  let isOver = false;
  const end = () => {
    isOver = true;
  };
  void done.then(end, end);
  for (let count = 0; ; count += 1) {
    if (isOver) return count;
    const response = await deliver(blog.url, "push", pushBody({ ref: `refs/heads/other-${count}` }), {
      secret: SECRET,
    });
    expect(response.status).toBe(200);
    await response.body?.cancel();
  }
}

const hasProc = existsSync("/proc/self/status");

test.skipIf(!hasProc).each(Object.entries(FLOODS))(
  "stores 10 MiB of 100 MB of %s, using little memory, and accepts deliveries meanwhile (needs /proc)",
  async (_, command) => {
    await using blog = new Blog();
    await blog.serve({ keys: `run = ["echo first", ${JSON.stringify(command)}, "echo last"]` });
    const id = await blog.push({ "index.html": "one" });
    const ended = blog.untilEnded(id);
    const accepted = await deliverUntil(blog, ended);
    expect(await ended).toMatchObject({ state: "succeeded", reason: null });
    const peak = peakOf(blog.server);
    const output = await blog.output(id);
    const bytes = output.reduce((sum, line) => sum + Buffer.byteLength(line) + 1, 0);
    expect(peak).toBeLessThan(MAX_MEMORY);
    expect(accepted).toBeGreaterThan(0);
    expect(output).toContain("first");
    expect(output.at(-1)).toBe("last");
    // A line that counts the lines that are missing at its place.
    expect(output).toContainEqual(expect.stringMatching(/^\[… [\d,]+ .+ …\]$/));
    expect(bytes).toBeLessThan(STORED + 1024);
    expect(bytes).toBeGreaterThan(STORED / 2);
  },
  120_000,
);

test("stores the lines of both streams in the order in which they were printed", async () => {
  await using blog = new Blog();
  const script = "i=0; while test $i -lt 5000; do echo out $i; echo err $i >&2; i=$((i+1)); done";
  await blog.serve({ keys: `run = [${JSON.stringify(script)}]` });
  const { id } = await blog.deploy({ "index.html": "one" });
  const printed = (await blog.output(id)).filter((line) => /^(?:out|err) \d+$/.test(line));
  const expected = Array.from({ length: 5000 }, (_, at) => [`out ${at}`, `err ${at}`]).flat();
  expect(printed).toEqual(expected);
});
