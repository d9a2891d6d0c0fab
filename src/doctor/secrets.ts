import { dirname } from "node:path";
import type { Config, OwnedSecret } from "../config/load.ts";
import { type CheckResult, ok, warn } from "./check-result.ts";

type Owned = Pick<OwnedSecret, "owner" | "secret">;

/** Lists the generated secrets, and warns about a secret with several owners. Never prints a secret. */
export function checkSecrets(
  generated: Config["generated"],
  secrets: readonly Owned[],
): readonly CheckResult[] {
  return [...checkGenerated(generated), ...checkReuse(secrets.filter(({ secret }) => secret.loaded))];
}

function checkGenerated(generated: Config["generated"]): readonly CheckResult[] {
  const [first] = generated;
  if (first === undefined) return [];
  const directory = dirname(first.file);
  const list = (loaded: boolean) =>
    generated
      .filter(({ secret }) => secret.loaded === loaded)
      .map(({ what }) => what)
      .join(", ");
  const [existing, missing] = [list(true), list(false)];
  return [
    ...(existing === "" ? [] : [ok(`generated secrets in ${directory}: ${existing}`)]),
    ...(missing === "" ? [] : [ok(`secrets that the first start generates in ${directory}: ${missing}`)]),
  ];
}

/** Repetitions within one source are harmless. */
function checkReuse(secrets: readonly Owned[]): readonly CheckResult[] {
  // A user may have the same password, and so the same hash, at two sources.
  const comparable = secrets.filter(({ secret }) => !secret.reveal().startsWith("$argon2"));
  return [...Map.groupBy(comparable, ({ secret }) => secret.reveal()).values()]
    .map((group) => [...new Set(group.map(({ owner }) => owner))])
    .filter((owners) => owners.length > 1)
    .map((owners) => warn(`${owners.join(" and ")} have the same secret: use a different one for each`));
}
