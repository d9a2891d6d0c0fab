import { realpath } from "node:fs/promises";
import { dirname } from "node:path";
import { type Git, type GitTools, openGit } from "./git.ts";

/** Opens git in a working tree. One that is broken must not make git take a repository around it for its own. */
export async function openCheckout(directory: string, tools: GitTools): Promise<Git> {
  const real = await realpath(directory);
  return openGit(real, { GIT_CEILING_DIRECTORIES: dirname(real) }, tools);
}
