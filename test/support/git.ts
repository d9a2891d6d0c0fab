import { execFileSync } from "node:child_process";
import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";

/** Makes git ignore the configuration of the machine, and sets an identity for commits. */
export const GIT_ENV: Readonly<Record<string, string>> = {
  GIT_CONFIG_GLOBAL: "/dev/null",
  GIT_CONFIG_NOSYSTEM: "1",
  GIT_AUTHOR_NAME: "Ada",
  GIT_AUTHOR_EMAIL: "ada@example.com",
  GIT_COMMITTER_NAME: "Ada",
  GIT_COMMITTER_EMAIL: "ada@example.com",
};

/** Runs git in a directory and returns its output without the last newline. */
export function git(directory: string, ...args: readonly string[]): string {
  const env = { PATH: process.env.PATH, HOME: directory, ...GIT_ENV };
  return execFileSync("git", args, { cwd: directory, env, encoding: "utf8", stdio: "pipe" }).trimEnd();
}

/** A real repository with a working tree, which can be cloned by its path. */
export class Repository {
  constructor(readonly path: string) {
    mkdirSync(path, { recursive: true });
    git(path, "-c", "init.defaultBranch=main", "init", "--quiet");
  }

  /** Writes the files (null removes one) and commits them. Returns the commit. */
  commit(files: Readonly<Record<string, string | null>>, message = "A change"): string {
    for (const [name, content] of Object.entries(files)) {
      const path = join(this.path, name);
      rmSync(path, { recursive: true, force: true });
      if (content === null) continue;
      mkdirSync(dirname(path), { recursive: true });
      writeFileSync(path, content);
    }
    return this.commitAll(message);
  }

  /** Commits all changes in the working tree. Returns the commit. */
  commitAll(message = "A change"): string {
    git(this.path, "add", "--all");
    git(this.path, "commit", "--quiet", "--allow-empty", "--message", message);
    return this.tip;
  }

  get tip(): string {
    return git(this.path, "rev-parse", "HEAD");
  }

  git(...args: readonly string[]): string {
    return git(this.path, ...args);
  }
}
