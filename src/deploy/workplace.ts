import { Fault } from "../domain/fault.ts";
import type { Layout, Workplace } from "../domain/layout.ts";
import type { Target } from "../domain/target.ts";
import { accessEnvironment } from "./access.ts";
import { cleanEnvironment, nameDeployment } from "./environment.ts";
import { layouts } from "./index.ts";
import type { DeployTools } from "./job.ts";

/**
 * Opens a target's directory for one deployment, by its number; `onDoing` hears what is done there. Null for a target
 * without git: its commands run in the directory as it is.
 */
export function openWorkplace(
  target: Target,
  deployment: number,
  { clock, run, env }: Pick<DeployTools, "clock" | "run" | "env">,
  onDoing: (what: string) => void,
): Workplace | null {
  if (target.watch === null) return null;
  const known: Readonly<Record<string, Layout>> = layouts;
  const layout = known[target.layout];
  if (layout === undefined) throw new Fault("configuration", `there is no layout ${target.layout}`);
  const clean = cleanEnvironment(target, env);
  return layout.open(target, {
    clock,
    run,
    env: { ...clean, ...accessEnvironment(target, clean), ...nameDeployment(target, deployment) },
    onDoing,
  });
}
