import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { userInfo } from "node:os";
import { join } from "node:path";
import { cleanEnvironment } from "../../src/deploy/process/environment.ts";
import { createRuleValues, RULE_VARIABLES } from "../../src/domain/rule.ts";
import { compileExpression } from "../../src/lib/expression.ts";
import { lookUpName } from "../../src/lib/os-user.ts";
import { GIT_ENV } from "../support/git.ts";
import { Site } from "./site.ts";

const ENVIRONMENT = join(import.meta.dir, "../../src/deploy/process/environment.ts");

let site: Site;
beforeEach(() => {
  site = new Site("releases");
});
afterEach(() => site.remove());

const SERVER_ENVIRONMENT = {
  PATH: String(process.env.PATH),
  HOME: "/home/ada",
  USER: "ada",
  LANG: "de_DE.UTF-8",
  TZ: "Europe/Berlin",
  SSH_AUTH_SOCK: "/run/agent",
  GITHUB_WEBHOOK_SECRET: "not for commands",
};

/** The variables that `env` printed, without PWD, which every shell sets. */
function printed(lines: readonly string[]): Record<string, string> {
  const pairs = lines.slice(lines.indexOf("$ env") + 1).map((line) => line.split(/=(.*)/s).slice(0, 2));
  const { PWD: _, ...rest } = Object.fromEntries(pairs);
  return rest;
}

test("gives commands only the documented variables", async () => {
  const commit = site.repository.commit({ "index.html": "one" });
  const { lines, release } = await site.deploy(
    { run: ["env"], env: { ...GIT_ENV, NODE_ENV: "production" }, passEnv: ["SSH_AUTH_SOCK", "NOT_SET"] },
    {
      env: SERVER_ENVIRONMENT,
      deployment: { id: 12, delivery: 34, previousCommit: "a".repeat(40) },
      payloadFile: "/tmp/payload",
    },
  );
  expect(printed(lines)).toEqual({
    PATH: SERVER_ENVIRONMENT.PATH,
    HOME: "/home/ada",
    USER: "ada",
    LANG: "de_DE.UTF-8",
    TZ: "Europe/Berlin",
    SSH_AUTH_SOCK: "/run/agent",
    ...GIT_ENV,
    NODE_ENV: "production",
    HOOKLATCH_TARGET: "blog",
    HOOKLATCH_DIRECTORY: site.directory,
    HOOKLATCH_BRANCH: "main",
    HOOKLATCH_COMMIT: commit,
    HOOKLATCH_PREVIOUS_COMMIT: "a".repeat(40),
    HOOKLATCH_REPOSITORY: "octocat/blog",
    HOOKLATCH_RELEASE: String(release),
    HOOKLATCH_DEPLOYMENT: "12",
    HOOKLATCH_DELIVERY: "34",
    HOOKLATCH_EVENT: "push",
    HOOKLATCH_PAYLOAD_FILE: "/tmp/payload",
  });
});

test("omits variables that have no value", async () => {
  const { lines } = await site.deploy(
    { repository: null, directory: site.root, env: {}, run: [["env"]] },
    { env: SERVER_ENVIRONMENT, event: null, deployment: { id: 1, delivery: null } },
  );
  const { PATH, HOME, USER, LANG, TZ, ...rest } = printed(lines);
  expect({ PATH, HOME, USER, LANG, TZ }).toEqual({
    PATH: SERVER_ENVIRONMENT.PATH,
    HOME: SERVER_ENVIRONMENT.HOME,
    USER: SERVER_ENVIRONMENT.USER,
    LANG: SERVER_ENVIRONMENT.LANG,
    TZ: SERVER_ENVIRONMENT.TZ,
  });
  expect(rest).toEqual({
    HOOKLATCH_TARGET: "blog",
    HOOKLATCH_DEPLOYMENT: "1",
    HOOKLATCH_DIRECTORY: site.root,
  });
});

test("sets HOOKLATCH_TAG and not HOOKLATCH_BRANCH for a tag", async () => {
  site.repository.commit({ "index.html": "one" });
  site.repository.git("tag", "v1");
  const { lines } = await site.deploy({
    ...site.watch({ kind: "tag", pattern: "v*", prereleases: false }),
    run: ["env"],
  });
  expect(printed(lines)).toMatchObject({ HOOKLATCH_TAG: "v1" });
  expect(printed(lines)).not.toHaveProperty("HOOKLATCH_BRANCH");
});

test("lets variables of the target override inherited ones but not HOOKLATCH_ ones", async () => {
  const env = { HOME: "/srv/home", HOOKLATCH_TARGET: "another" };
  const { lines } = await site.deploy(
    { repository: null, directory: site.root, env, run: ["env"] },
    { env: SERVER_ENVIRONMENT },
  );
  expect(printed(lines)).toMatchObject({ HOME: "/srv/home", HOOKLATCH_TARGET: "blog" });
});

test("sets PATH and HOME when the service manager sets none", () => {
  const environment = cleanEnvironment(site.target({ env: {} }), {});
  expect(environment.PATH).toBe("/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin");
  expect(environment.HOME).toBe(userInfo().homedir);
  expect(Object.keys(environment).filter((name) => !["PATH", "HOME", "USER"].includes(name))).toEqual([]);
});

test("puts the directories of path before those of PATH, whichever sets it", () => {
  const pathOf = (env: Record<string, string>, server: Record<string, string>) =>
    cleanEnvironment(site.target({ searchPath: ["/opt/node/bin", "/opt/b"], env }), server).PATH;
  expect(pathOf({}, { PATH: "/usr/bin" })).toBe("/opt/node/bin:/opt/b:/usr/bin");
  expect(pathOf({ PATH: "/bin" }, { PATH: "/usr/bin" })).toBe("/opt/node/bin:/opt/b:/bin");
  expect(pathOf({}, {})).toStartWith("/opt/node/bin:/opt/b:/usr/local/sbin:");
});

test("looks up the user name when the environment does not contain it", () => {
  const script = `
    const { cleanEnvironment } = await import(${JSON.stringify(ENVIRONMENT)});
    console.log(JSON.stringify(cleanEnvironment({ searchPath: [], passEnv: [], env: {} }, {})));
  `;
  const printed = execFileSync(process.execPath, ["-e", script], { env: {}, encoding: "utf8" });
  const name = execFileSync("id", ["-un"], { encoding: "utf8" }).trim();
  expect(JSON.parse(printed)).toMatchObject({ USER: name, HOME: expect.any(String) });
});

test("finds the name of an exact user ID, or none", () => {
  const passwd = "root:x:0:0::/root:/bin/sh\n# 10\n\nada:x:10:100:Ada:/home/ada:/bin/sh\n:x:11:1::/:\n";
  expect([0, 10, 1, 100, 11].map((uid) => lookUpName(passwd, uid))).toEqual([
    "root",
    "ada",
    null,
    null,
    null,
  ]);
});

test("passes the target and deployment to git", async () => {
  const file = join(site.root, "environment");
  const { repository } = site.watch();
  const env = { ...GIT_ENV, GIT_SSH_COMMAND: `env > '${file}'; false` };
  const cloneUrl = "ssh://nowhere.invalid/blog.git";
  await site.deploy(
    { repository: repository && { ...repository, cloneUrl }, env },
    { deployment: { id: 12 } },
  );
  const variables = readFileSync(file, "utf8").split("\n");
  expect(variables).toContain("HOOKLATCH_TARGET=blog");
  expect(variables).toContain("HOOKLATCH_DEPLOYMENT=12");
});

test("passes text that looks like a command unchanged", async () => {
  const { lines } = await site.deploy(
    { repository: null, directory: site.root, env: {}, run: ['printf "%s\\n" "$HOOKLATCH_EVENT"', "ls"] },
    { env: SERVER_ENVIRONMENT, event: "$(touch hacked)" },
  );
  expect(lines).toContain("$(touch hacked)");
  expect(lines).not.toContain("hacked");
});

describe("payload_env", () => {
  const expressionOf = (text: string) => {
    const result = compileExpression(text, RULE_VARIABLES);
    if (result.kind === "invalid") throw new Error(result.problem);
    return result.expression;
  };
  const event = { kind: "other", name: "release", action: "published" } as const;
  const readRuleValues = createRuleValues(
    JSON.stringify({ tag: "v1 $(touch hacked)\n'; touch hacked; '", list: [1], none: null }),
    {},
  );
  const readValues = () => readRuleValues(event);

  test("passes values of the payload unchanged, and the event with its action", async () => {
    const { lines, state } = await site.deploy(
      {
        repository: null,
        directory: site.root,
        env: {},
        run: [
          `printf "<%s>" "$VERSION" $HOOKLATCH_EVENT $HOOKLATCH_ACTION; env | grep -c ^NONE=; true`,
          "ls",
        ],
        payloadEnv: { VERSION: expressionOf("payload.tag"), NONE: expressionOf("payload.none") },
      },
      { env: SERVER_ENVIRONMENT, event: "release", action: "published", readValues },
    );
    expect(state).toBe("succeeded");
    const printed = lines.join("\n");
    expect(printed).toContain("<v1 $(touch hacked)\n'; touch hacked; '><release><published>0");
    expect(lines).not.toContain("hacked");
  });

  test("fails the deployment before anything runs where a value cannot be a variable", async () => {
    const { state, code, reason, steps } = await site.deploy(
      {
        repository: null,
        directory: site.root,
        run: ["true"],
        payloadEnv: { LIST: expressionOf("payload.list") },
      },
      { env: SERVER_ENVIRONMENT, readValues },
    );
    expect({ state, code, steps }).toEqual({ state: "failed", code: "payload_env_invalid", steps: [] });
    expect(reason).toMatchSnapshot();
  });
});
