import { dirname } from "node:path";
import type { Config, OwnedSecret } from "../config/load.ts";
import { type CheckResult, ok, warn } from "./index.ts";

/** Secrets of our own making, and how good those are that people chose. None of them is shown. */
export function checkSecrets(
  generated: Config["generated"],
  secrets: readonly OwnedSecret[],
): readonly CheckResult[] {
  const loaded = secrets.filter(({ secret }) => secret.loaded);
  return [...checkGenerated(generated), ...checkStrength(loaded), ...checkReuse(loaded)];
}

function checkGenerated(generated: Config["generated"]): CheckResult[] {
  const [first] = generated;
  if (first === undefined) return [];
  const list = (loaded: boolean) =>
    generated
      .filter(({ secret }) => secret.loaded === loaded)
      .map(({ what }) => what)
      .join(", ");
  const [made, missing] = [list(true), list(false)];
  const directory = dirname(first.file);
  return [
    ...(made === "" ? [] : [ok(`secrets in ${directory}: ${made}`)]),
    ...(missing === "" ? [] : [ok(`secrets that the first start makes, in ${directory}: ${missing}`)]),
  ];
}

function checkStrength(secrets: readonly OwnedSecret[]): CheckResult[] {
  return secrets
    .filter(({ secret }) => isGuessable(secret.reveal()))
    .map(({ owner, secret }) =>
      warn(`a secret of ${owner} (${secret}) is easily guessed: take a random one (openssl rand -hex 32)`),
    );
}

/** Who knows it for one thing could do the other, too. Within one source the same twice is only superfluous. */
function checkReuse(secrets: readonly OwnedSecret[]): CheckResult[] {
  const owners = new Map<string, Set<string>>();
  for (const { owner, secret } of secrets) {
    // A password's hash may be the same: a user can have one password for two sources.
    if (secret.reveal().startsWith("$argon2")) continue;
    owners.set(secret.reveal(), (owners.get(secret.reveal()) ?? new Set()).add(owner));
  }
  return [...owners.values()]
    .filter((same) => same.size > 1)
    .map((same) =>
      warn(
        `${[...same].join(" and ")} have the same secret: who knows it for one has the other; give each its own`,
      ),
    );
}

/** Of which people make secrets that are no secrets. */
const WORDS =
  "secret|password|passwd|change|me|this|please|token|webhook|hook|github|hooklatch|admin|example|your|my|here|super|test|testing|default|deploy|verify|key|letmein|qwertyuiop|qwerty|value|foo|bar|baz";
const ONLY_WORDS = new RegExp(`^(?:${WORDS})+$`);

/** Fewer different characters than this are not what a generator makes. */
const FEWEST_CHARACTERS = 6;

/** Whether a secret is so plain that its length says nothing: few characters, a row of them, or common words. */
export function isGuessable(secret: string): boolean {
  const characters = [...secret.toLowerCase()];
  if (new Set(characters).size < FEWEST_CHARACTERS) return true;
  const neighbours = characters.filter((each, index) => follows(characters[index - 1], each)).length;
  if (neighbours >= 0.8 * (characters.length - 1)) return true;
  return ONLY_WORDS.test(secret.toLowerCase().replaceAll(/[^a-z]/g, ""));
}

function follows(before: string | undefined, each: string): boolean {
  return before !== undefined && Math.abs((each.codePointAt(0) ?? 0) - (before.codePointAt(0) ?? 0)) <= 1;
}
