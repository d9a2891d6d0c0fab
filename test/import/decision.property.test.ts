import { expect, setDefaultTimeout, test } from "bun:test";
import fc from "fast-check";
import { loadConfig } from "../../src/config/load.ts";
import { layouts } from "../../src/deploy/layouts/index.ts";
import { providers } from "../../src/providers/index.ts";
import { hook, match, NEW_TOKEN, translateHooks } from "./translate-hooks.ts";

setDefaultTimeout(120_000);

type Values = Readonly<Record<string, string>>;

/** A request, by the values that rules compare. */
interface Request {
  readonly payload: Values;
  readonly url: Values;
  readonly header: Values;
}

type Sample =
  | { readonly and: readonly Sample[] }
  | { readonly or: readonly Sample[] }
  | { readonly not: Sample }
  | {
      readonly match: {
        readonly value: string;
        readonly parameter: { readonly source: string; readonly name: string };
      };
    };

/** How adnanh/webhook evaluates a rule: its value, and whether a value is missing. */
function evaluate(rule: Sample, request: Request): readonly [boolean, boolean] {
  if ("match" in rule) {
    const { value, parameter } = rule.match;
    const found = request[parameter.source as keyof Request][parameter.name];
    return [found === value, found === undefined];
  }
  if ("not" in rule) {
    const [value, isMissing] = evaluate(rule.not, request);
    return [!value, isMissing];
  }
  if ("or" in rule) return [rule.or.some((each) => evaluate(each, request)[0]), false];
  for (const each of rule.and) {
    const [value, isMissing] = evaluate(each, request);
    if (isMissing || !value) return [false, isMissing];
  }
  return [true, false];
}

/** Whether a translated hook runs; null where it was left out. */
async function decide(rule: Sample, { payload, url, header }: Request): Promise<boolean | null> {
  const { text, hooks } = await translateHooks([hook({ "trigger-rule": rule })]);
  if (hooks[0]?.level === "fail") return null;
  const loaded = loadConfig(
    undefined,
    { env: {}, cwd: "/srv" },
    { providers, layouts: Object.keys(layouts) },
    { draft: { file: "/srv/hooklatch.toml", label: "hooklatch.toml", text } },
  );
  if (loaded.kind !== "loaded") throw new Error(JSON.stringify(loaded.faults));
  const [source] = loaded.config.sources;
  const [target] = loaded.config.targets;
  const query = new URLSearchParams(url);
  // Senders of a hook that every sender could run add the token.
  if (text.includes(NEW_TOKEN)) query.set("token", NEW_TOKEN);
  const body = Buffer.from(JSON.stringify(payload));
  const request = { method: "POST", path: "/hooks/app", query, headers: new Headers(header), body };
  const verified = await source?.handler.verify(request, null, new Date());
  if (verified?.kind !== "verified" || target === undefined) return false;
  if (target.when === null) return true;
  const kept = Object.fromEntries(
    Object.entries(header).filter(([name]) => source?.keepHeaders.includes(name)),
  );
  const result = target.when.evaluate({ payload, event: "payload", action: "", headers: kept });
  return result.kind === "value" && result.value === true;
}

const names = { payload: ["a", "b"], url: ["k", "l"], header: ["x-token", "x-event"] } as const;
const value = fc.constantFrom("yes-yes-yes", "no");
const leaf = fc
  .constantFrom(...(["payload", "payload", "url", "header"] as const))
  .chain((source) =>
    fc.tuple(value, fc.constantFrom(...names[source])).map(([text, name]) => match(text, name, source)),
  );
const { rule: anyRule } = fc.letrec<{ rule: Sample }>((tie) => ({
  rule: fc.oneof(
    { maxDepth: 3 },
    leaf,
    fc.record({ not: tie("rule") }),
    fc.record({ and: fc.array(tie("rule"), { maxLength: 4 }) }),
    fc.record({ and: fc.array(leaf, { maxLength: 4 }) }),
    fc.record({ or: fc.array(tie("rule"), { maxLength: 3 }) }),
  ),
}));
const valuesOf = (source: keyof typeof names) => {
  const [first, second] = names[source];
  const record = fc.record({ [first]: value, [second]: value }, { requiredKeys: [] });
  return record.map((values) => values as Values);
};
const anyRequest = fc.record({
  payload: valuesOf("payload"),
  url: valuesOf("url"),
  header: valuesOf("header"),
});

test("a translated hook runs for the requests that it ran for, and for no others", async () => {
  let translated = 0;
  let ran = 0;
  await fc.assert(
    fc.asyncProperty(
      anyRule,
      fc.array(anyRequest, { minLength: 3, maxLength: 6 }),
      async (rule, requests) => {
        for (const request of requests) {
          const runs = await decide(rule, request);
          if (runs === null) return;
          translated += 1;
          if (runs) ran += 1;
          expect({ request, runs }).toEqual({ request, runs: evaluate(rule, request)[0] });
        }
      },
    ),
    { numRuns: 200 },
  );
  expect(translated).toBeGreaterThan(100);
  expect(ran).toBeGreaterThan(15);
});
