import { expect, setDefaultTimeout, test } from "bun:test";
import fc from "fast-check";
import { faultsOf, NEW_TOKEN, translateHooks } from "./translate-hooks.ts";

setDefaultTimeout(120_000);

/** Texts that mean something in TOML, in CEL, in a shell, in YAML or in a template. */
const hostile = fc.oneof(
  fc.constantFrom(
    `"`,
    `'`,
    `'''`,
    `"""`,
    "\\",
    "\n",
    "\r\n",
    "\u0000",
    "\u007f",
    "\ud800",
    "\u2028",
    "$(touch hacked)",
    "`id`",
    "; id",
    "$HOME",
    "~",
    "]]",
    "#",
    "[[source]]",
    `" || true || "`,
    `"].b`,
    "{{ getenv `A` }}",
    "\uE0000\uE001",
    "__proto__",
    "constructor",
    "root.0",
    "a.b.c",
    "%s",
    "&a",
    "*a",
    "env:HOME",
    "file:/etc/passwd",
    "",
  ),
  fc.string({ unit: "binary", maxLength: 12 }),
  fc.string({ maxLength: 12 }),
);
const text = fc.oneof(
  hostile,
  fc.tuple(hostile, hostile).map((parts) => parts.join("")),
);

/** No message may repeat it. */
const SECRET = "correct-horse-battery-staple";

const parameter = fc.record(
  {
    source: fc.oneof(
      fc.constantFrom(
        "payload",
        "header",
        "url",
        "query",
        "request",
        "string",
        "entire-payload",
        "entire-headers",
        "entire-query",
        "raw-request-body",
      ),
      text,
    ),
    name: fc.oneof(fc.constantFrom("a", "a.0.b", "X-Token", "X-Event", "method", "Authorization"), text),
    envname: fc.oneof(fc.constantFrom("A", "PATH", "HOOK_ARGUMENT_1"), text),
    base64decode: fc.boolean(),
  },
  { requiredKeys: [] },
);
const parameters = fc.array(parameter, { maxLength: 3 });

const { rule } = fc.letrec<{ rule: unknown }>((tie) => ({
  rule: fc.oneof(
    { maxDepth: 4 },
    fc.record({
      match: fc.record(
        {
          type: fc.constantFrom(
            "value",
            "regex",
            "payload-hmac-sha1",
            "payload-hmac-sha256",
            "ip-whitelist",
            "other",
          ),
          value: fc.oneof(fc.constant(SECRET), text),
          regex: text,
          secret: fc.oneof(fc.constant(SECRET), text),
          parameter,
          "ip-range": fc.oneof(fc.ipV4(), fc.ipV6(), text),
        },
        { requiredKeys: ["type"] },
      ),
    }),
    fc.record({ and: fc.array(tie("rule"), { maxLength: 3 }) }),
    fc.record({ or: fc.array(tie("rule"), { maxLength: 3 }) }),
    fc.record({ not: tie("rule") }),
    fc.jsonValue({ maxDepth: 2 }),
  ),
}));

const hook = fc.record(
  {
    id: fc.oneof(fc.constantFrom("a", "b"), text),
    "execute-command": fc.oneof(fc.constant("/bin/run"), text),
    "command-working-directory": fc.oneof(fc.constantFrom("/srv/app", "app"), text),
    "response-message": text,
    "response-headers": fc.array(fc.record({ name: text, value: text }), { maxLength: 2 }),
    "success-http-response-code": fc.oneof(fc.constantFrom(200, 204, 404), fc.integer()),
    "include-command-output-in-response": fc.boolean(),
    "pass-arguments-to-command": parameters,
    "pass-environment-to-command": parameters,
    "pass-file-to-command": parameters,
    "parse-parameters-as-json": parameters,
    "trigger-rule": rule,
  },
  { requiredKeys: ["id", "execute-command"] },
);

const COMMAND =
  /^(?:trap 'rm -f --(?: "\$\w+")+' EXIT; trap 'exit 143' TERM INT; )?(?:(?:export \w+=("\$HOOKLATCH_PAYLOAD_FILE"|"\$\(cat -- "\$HOOKLATCH_PAYLOAD_FILE"\)")|\w+=\$\(mktemp "\$PWD\/\w+\.X{8}"\) \|\| exit 1|\w+=\$\(mktemp\) \|\| exit 1|export \w+|if \[ -n "\$\{\w+\+x\}" \]|then \w+=\$\(mktemp(?: "\$PWD\/\w+\.X{8}")?\) \|\| exit 1|printf %s (?:"\$\w+"|"\$\(cat -- "\$HOOKLATCH_PAYLOAD_FILE"\)")(?: \| base64 -d)? > "\$\w+"|fi); )*(?:exec )?"\$0"(?: (?:"\$\w+"|"\$\{\d+\}"|"\$\(cat -- "\$HOOKLATCH_PAYLOAD_FILE"\)"))*$/;

test("no hooks become a configuration that is invalid or a shell command with their texts", async () => {
  let translated = 0;
  await fc.assert(
    fc.asyncProperty(fc.array(hook, { maxLength: 4 }), async (hooks) => {
      const result = await translateHooks(hooks, { isInFiles: false });
      expect(result.hooks).toHaveLength(hooks.length);
      expect(result.targets).toHaveLength(result.hooks.filter(({ level }) => level !== "fail").length);
      expect(JSON.stringify(result.hooks)).not.toContain(SECRET);
      translated += result.targets.length;
      expect(faultsOf(result.text, { A: NEW_TOKEN })).toEqual([]);
      for (const { run } of result.targets) {
        const [[program, option, script] = []] = run as string[][];
        if (program !== "/bin/sh" || option !== "-c") continue;
        expect(script).toMatch(COMMAND);
      }
    }),
    { numRuns: 300 },
  );
  expect(translated).toBeGreaterThan(50);
});

test("no file makes the import throw anything but an error of the configuration", async () => {
  const yaml = fc.array(
    fc.oneof(text, fc.constantFrom("- ", "\n", ": ", "id", "[", "{", "}", "]", "  ", ", ")),
    {
      maxLength: 30,
    },
  );
  await fc.assert(
    fc.asyncProperty(
      fc.oneof(
        fc.json(),
        yaml.map((parts) => parts.join("")),
      ),
      async (file) => {
        const error: unknown = await translateHooks(file).then(
          () => null,
          (each) => each,
        );
        if (error !== null) expect(error).toMatchObject({ code: "configuration" });
      },
    ),
    { numRuns: 1000 },
  );
});
