import { describe, expect, test } from "bun:test";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import Ajv from "ajv";
import { parse } from "smol-toml";
import { createJsonSchema } from "../../src/config/json-schema.ts";
import { providers } from "../../src/providers/index.ts";

const EXAMPLES = join(import.meta.dir, "../../examples");
const ajv = new Ajv({ strict: true, allowUnionTypes: true, strictRequired: false });
const validate = ajv.compile(createJsonSchema(providers));

const errorsOf = (toml: string) => {
  validate(parse(toml));
  return validate.errors?.map(({ instancePath }) => instancePath) ?? [];
};

const SOURCE = '[[source]]\nname = "a"\npath = "/a"\n';

describe("the JSON Schema of the configuration", () => {
  test.each(readdirSync(EXAMPLES).filter((name) => name.endsWith(".toml")))("accepts examples/%s", (name) => {
    expect(errorsOf(readFileSync(join(EXAMPLES, name), "utf8"))).toEqual([]);
  });

  test.each([
    ["an unknown key", "nmae = 1", ""],
    ["an unknown key of a table", "[server]\nprot = 1", "/server"],
    ["another type", '[server]\nport = "9000"', "/server/port"],
    ["a number out of range", "[server]\nport = 70000", "/server/port"],
    ["another word", '[server]\nlog_format = "xml"', "/server/log_format"],
    ["a duration without a unit", '[store]\nkeep_deliveries = "30"', "/store/keep_deliveries"],
    ["a missing key", '[[target]]\nname = "blog"', "/target/0"],
    ["an unknown provider", `${SOURCE}provider = "svn"`, "/source/0"],
    ["a key of another provider", `${SOURCE}provider = "github"\nverify_token = "env:A"`, "/source/0"],
  ])("rejects %s", (_, toml, place) => {
    expect(errorsOf(toml)).toContain(place);
  });

  test.each(providers.map(({ name }) => name))("knows the keys of %s", (name) => {
    expect(errorsOf(`${SOURCE}provider = "${name}"\nallow = ["192.0.2.1"]`)).not.toContain("/source/0/allow");
  });

  test("describes every key", () => {
    const undescribed: string[] = [];
    const visit = (schema: Record<string, unknown>, path: string) => {
      for (const [key, child] of Object.entries((schema.properties ?? {}) as Record<string, object>)) {
        if (!("description" in child)) undescribed.push(`${path}.${key}`);
        visit({ ...child }, `${path}.${key}`);
      }
      const items = (schema.items ?? {}) as Record<string, unknown>;
      for (const each of (items.anyOf as Record<string, unknown>[]) ?? [items]) {
        if (Object.keys(each).length > 0) visit(each, `${path}[]`);
      }
    };
    visit({ ...createJsonSchema(providers) }, "");
    expect(undescribed).toEqual([]);
  });
});
