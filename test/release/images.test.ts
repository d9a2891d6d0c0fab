import { afterAll, describe, expect, test } from "bun:test";
import { cpSync, existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { parse } from "yaml";
import { ROOT } from "../../.github/release/compile.ts";
import { engines } from "../../package.json";
import { EXECUTABLE } from "../support/executable.ts";
import { canMount, openRoot } from "./root.ts";

interface Instruction {
  readonly word: string;
  readonly text: string;
}

interface Stage {
  readonly name: string | undefined;
  readonly from: string;
  readonly instructions: readonly Instruction[];
}

const read = (path: string) => readFileSync(join(ROOT, path), "utf8");
const stages = parseStages(read("Dockerfile"));
const find = (name: string) => {
  const stage = stages.find((each) => each.name === name);
  if (stage === undefined) throw new Error(`the Dockerfile has no stage ${name}`);
  return stage;
};

function parseStages(text: string): readonly Stage[] {
  const lines = text
    .replaceAll(/^#.*\n/gm, "")
    .replaceAll(/\\\n/g, " ")
    .split("\n");
  const found: { name: string | undefined; from: string; instructions: Instruction[] }[] = [];
  for (const line of lines.filter((each) => each.trim() !== "")) {
    const [, word = "", rest = ""] = /^([A-Z]+) +(.*)$/.exec(line) ?? [];
    if (word === "") throw new Error(`this is no instruction: ${line}`);
    const [from = "", , name] = rest.split(" ");
    if (word === "FROM") found.push({ name, from, instructions: [] });
    else found.at(-1)?.instructions.push({ word, text: rest });
  }
  return found;
}

/** The sources and the destination of a COPY from the build context. */
function copiesOf({ instructions }: Stage) {
  return instructions
    .filter(({ word, text }) => word === "COPY" && !text.startsWith("--from"))
    .map(({ text }) => text.split(" "))
    .map((words) => ({ sources: words.slice(0, -1), destination: words.at(-1) ?? "" }));
}

const commandsOf = ({ instructions }: Stage) =>
  instructions
    .filter(({ word }) => word === "RUN")
    .flatMap(({ text }) => text.split("&&").map((each) => each.trim()));

/** An exact version or a digest, so that a build is not a surprise. */
const EXACT = /^[\w./-]+(:v?\d+\.\d+(\.\d+)?(-[\w.-]+)?|@sha256:[0-9a-f]{64})$/;

describe("the Dockerfile", () => {
  test("starts from exact versions", () => {
    const names = stages.map(({ name }) => name);
    const images = stages.map(({ from }) => from).filter((from) => !names.includes(from));
    expect(images).toHaveLength(2);
    for (const image of images) expect(image).toMatch(EXACT);
  });

  test("makes the slim image by default, and one with Node", () => {
    expect(stages.at(-1)?.from).toBe("slim");
    expect(find("node").from).toBe("slim");
    expect(
      find("node")
        .instructions.filter(({ word }) => word === "USER")
        .at(-1)?.text,
    ).toBe("hooklatch");
  });

  test("builds the same executable as here, bit for bit, from the files that it copies", () => {
    const build = mkdtempSync(join(ROOT, "dist/image-"));
    afterAll(() => rmSync(build, { recursive: true }));
    for (const { sources, destination } of copiesOf(find("build"))) {
      for (const source of sources) {
        const to = destination.endsWith("/") ? join(build, destination, source) : join(build, destination);
        cpSync(join(ROOT, source), to, { recursive: true });
      }
    }
    // The installation itself needs the registry.
    Bun.spawnSync(["cp", "-al", join(ROOT, "node_modules"), build]);
    expect(commandsOf(find("build"))).toEqual([`npx --yes bun@${engines.bun} run build`]);
    const { exitCode, stderr } = Bun.spawnSync([process.execPath, "run", "build"], { cwd: build });
    expect(exitCode, stderr.toString()).toBe(0);
    const digest = (file: string) => new Bun.CryptoHasher("sha256").update(readFileSync(file)).digest("hex");
    expect(digest(join(build, "dist/hooklatch"))).toBe(digest(EXECUTABLE));
  });

  test.if(canMount)("has commands that work on Debian", async () => {
    const root = await openRoot();
    try {
      const commands = commandsOf(find("slim")).filter((command) => !command.startsWith("apt-get"));
      for (const command of commands) await root.run(command);
      expect(await root.run("stat -c '%A %U' /var/lib/hooklatch /srv/sites")).toBe(
        "drwx------ hooklatch\ndrwxr-xr-x hooklatch",
      );
    } finally {
      await root.close();
    }
  });
});

describe("examples/compose.yaml", () => {
  const services: readonly {
    readonly image?: string;
    readonly build?: { readonly context: string; readonly target: string };
    readonly volumes: readonly string[];
  }[] = Object.values(parse(read("examples/compose.yaml")).services);

  test("starts from exact versions, and from a stage of the Dockerfile", () => {
    for (const { image, build } of services) {
      if (image !== undefined) expect(image).toMatch(EXACT);
      if (build !== undefined) find(build.target);
    }
    expect(services.filter(({ build }) => build !== undefined)).toHaveLength(1);
  });

  test("mounts files that exist", () => {
    const files = services.flatMap(({ volumes }) => volumes).filter((volume) => volume.startsWith("./"));
    expect(files.length).toBeGreaterThan(1);
    expect(files.filter((volume) => !existsSync(join(ROOT, "examples", volume.split(":")[0] ?? "")))).toEqual(
      [],
    );
  });
});
