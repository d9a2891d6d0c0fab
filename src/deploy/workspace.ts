import { rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { Layout, Workspace } from "../domain/layout.ts";
import type { Target } from "../domain/target.ts";
import { AppError } from "../lib/errors.ts";
import type { DeployServices } from "./context.ts";
import { credentialEnvironment } from "./git/credentials.ts";
import { layouts } from "./layouts/index.ts";
import { cleanEnvironment, deploymentVariables } from "./process/environment.ts";

/**
 * Creates the workspace of one deployment, by its id; `onActivity` is called with what is being done there. Null for a
 * target without git: its commands run in the directory as it is.
 */
export function createWorkspace(
  target: Target,
  deployment: number,
  { clock, run, env }: Pick<DeployServices, "clock" | "run" | "env">,
  onActivity: (what: string) => void,
): Workspace | null {
  if (target.repository === null) return null;
  const known: Readonly<Record<string, Layout>> = layouts;
  const layout = known[target.layout];
  if (layout === undefined) throw new AppError("configuration", `there is no layout ${target.layout}`);
  const clean = cleanEnvironment(target, env);
  return layout.createWorkspace(target, {
    clock,
    run,
    env: { ...clean, ...credentialEnvironment(target, clean), ...deploymentVariables(target, deployment) },
    onActivity,
  });
}

/**
 * Writes the payload's JSON to a file that only this user can read, calls `use` with its path and removes the file. A
 * payload never becomes part of a command line or of the environment, which are small and visible to others.
 */
export async function withPayloadFile<T>(
  directory: string,
  deployment: number,
  json: string | null,
  use: (path: string | null) => Promise<T>,
): Promise<T> {
  if (json === null) return use(null);
  const path = join(directory, `payload-${deployment}.json`);
  await rm(path, { force: true });
  await writeFile(path, json, { mode: 0o600, flag: "wx" });
  try {
    return await use(path);
  } finally {
    await rm(path, { force: true });
  }
}
