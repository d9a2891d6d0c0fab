import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { runProcess } from "../../deploy/process/process.ts";
import { AppError } from "../../lib/errors.ts";
import type { Terminal } from "../terminal.ts";

/** A bare repository, as a forge holds it, and a way to push to it. */
export interface Forge {
  readonly url: string;
  /** Commits a page with these words, pushes it to the branch, gives the commit's id. */
  commit(words: string, branch: string): Promise<string>;
}

/** Makes a bare repository in `home`, and a working directory whose author pushes to it. Throws when git cannot. */
export async function makeForge(home: string, terminal: Terminal): Promise<Forge> {
  const url = join(home, "forge.git");
  const work = join(home, "author");
  mkdirSync(work);
  await git(["init", "--quiet", "--bare", url]);
  await git(["init", "--quiet"]);
  return {
    url,
    async commit(words, branch) {
      writeFileSync(join(work, "page.txt"), `${words}\n`);
      await git(["add", "page.txt"]);
      await git(["commit", "--quiet", "--message", words]);
      await git(["push", "--quiet", url, `HEAD:refs/heads/${branch}`]);
      return (await git(["rev-parse", "HEAD"])).trim();
    },
  };

  async function git(args: readonly string[]): Promise<string> {
    const lines: string[] = [];
    const result = await runProcess(["git", ...args], {
      cwd: work,
      env: describeAuthor(terminal.env),
      onLine: (line) => lines.push(line),
      signal: new AbortController().signal,
    });
    if (result.exitCode === 0) return lines.join("\n");
    throw new AppError(
      "failed",
      `git ${args[0]} did not work (is git installed?): ${lines.at(-1) ?? "no output"}`,
    );
  }
}

/** git for the demo's author: a name of its own, and none of the user's git settings. */
function describeAuthor(env: Terminal["env"]): Record<string, string> {
  const who = { name: "Mona", email: "mona@example.com" };
  return {
    PATH: env.PATH ?? "/usr/local/bin:/usr/bin:/bin",
    GIT_CONFIG_GLOBAL: "/dev/null",
    GIT_CONFIG_NOSYSTEM: "1",
    GIT_AUTHOR_NAME: who.name,
    GIT_AUTHOR_EMAIL: who.email,
    GIT_COMMITTER_NAME: who.name,
    GIT_COMMITTER_EMAIL: who.email,
  };
}
