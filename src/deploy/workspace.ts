import { join } from "node:path";
import type { Layout, Workspace } from "../domain/layout.ts";
import type { Target } from "../domain/target.ts";
import { AppError } from "../lib/errors.ts";
import { rm, writeFile } from "../lib/files.ts";
import type { DeployServices } from "./context.ts";
import { credentialEnvironment } from "./git/credentials.ts";
import { layouts } from "./layouts/index.ts";
import { cleanEnvironment, deploymentVariables } from "./process/environment.ts";

/**
 * Creates the workspace of a deployment, given by its id. Returns null for a target without a repository, whose commands
 * run in the directory as it is.
 */
export function createWorkspace(
  target: Target,
  deployment: number,
  { clock, run, env }: Pick<DeployServices, "clock" | "run" | "env">,
  onActivity: (activity: string) => void,
): Workspace | null {
  if (target.repository === null) return null;
  const known: Readonly<Record<string, Layout>> = layouts;
  const layout = known[target.layout];
  if (layout === undefined) throw new AppError("configuration", `unknown layout ${target.layout}`);
  const clean = cleanEnvironment(target, env);
  return layout.createWorkspace(target, {
    clock,
    run,
    env: { ...clean, ...credentialEnvironment(target, clean), ...deploymentVariables(target, deployment) },
    onActivity,
  });
}

/**
 * Writes the payload's JSON to a file with mode 0600, calls `use` with its path, and removes the file. Command lines and
 * environments are too small for a payload, and other processes can read them.
 */
export async function withPayloadFile<T>(
  directory: string,
  deployment: number,
  json: string | null,
  use: (path: string | null) => Promise<T>,
): Promise<T> {
  if (json === null) return use(null);
  const path = join(directory, `payload-${deployment}.json`);
  try {
    await rm(path, { force: true });
    await writeFile(path, json, { mode: 0o600, flag: "wx" });
    return await use(path);
  } finally {
    await rm(path, { force: true });
  }
}
