import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { providers } from "../../src/providers/index.ts";
import type { Sender } from "./sender.ts";

const FIXTURES = join(import.meta.dir, "../fixtures");

/** A payload that a forge sent, as text. */
export function readFixture(name: string): string {
  return readFileSync(join(FIXTURES, name), "utf8");
}

const files = providers
  .map(({ name }) => join(import.meta.dir, `../providers/${name}/senders.ts`))
  .filter((file) => existsSync(file));
const modules = (await Promise.all(files.map((file) => import(file)))) as { senders: readonly Sender[] }[];

/** Every kind of sender that has a provider of its own: those of each `test/providers/NAME/senders.ts`. */
export const SENDERS: readonly Sender[] = modules.flatMap(({ senders }) => senders);

/** The environment with the secrets of every sender. */
export const SENDER_SECRETS: Readonly<Record<string, string>> = Object.fromEntries(
  SENDERS.map(({ name, secret }) => [`${name.toUpperCase().replace("-", "_")}_SECRET`, secret]),
);

/** The `[[source]]` tables of senders. */
export function describeSources(senders: readonly Sender[] = SENDERS): string {
  return senders
    .map(({ name, keys }) => `[[source]]\nname = "${name}"\npath = "/${name}"\n${keys}\nprint = false\n`)
    .join("");
}
