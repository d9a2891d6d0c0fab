import type { Provider } from "../domain/provider.ts";
import { type Environment, isSet } from "./read/context.ts";
import { variable } from "./read/issues.ts";
import type { WrittenSource } from "./source.ts";

/** The sources of a server for which none is configured, and the variables that hold their secrets. */
const DEFAULT_SOURCES = [
  { name: "github", provider: "github", path: "/github-webhook", secret: "GITHUB_WEBHOOK_SECRET" },
  { name: "webhook", provider: "generic", path: "/webhook", secret: "WEBHOOK_VERIFY_TOKEN" },
] as const;

/** The default sources, as they would be written. Where the variable is not set, their secret is left out. */
export function writeDefaultSources(
  providers: readonly Provider[],
  surroundings: Environment,
): readonly WrittenSource[] {
  return DEFAULT_SOURCES.map(({ secret, ...common }, index) => {
    const place = { file: "defaults", path: `source[${index}]` };
    const provider = providers.find(({ name }) => name === common.provider);
    if (provider === undefined || !isSet(secret, surroundings)) return { table: common, place };
    const key = provider.generatedSecret;
    const reference = `env:${secret}`;
    const setting = provider.options.properties[key]?.type === "array" ? [reference] : reference;
    return { table: { ...common, [key]: setting }, place, secretPlace: variable(secret) };
  });
}
