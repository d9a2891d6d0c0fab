import { expect, test } from "bun:test";
import { Value } from "@sinclair/typebox/value";
import { ApiClient } from "../../src/api/client.ts";
import { ApiDelivery } from "../../src/api/delivery.ts";
import { ApiDeployment } from "../../src/api/deployment.ts";
import { ApiHost } from "../../src/api/host.ts";
import { ApiRefusal } from "../../src/api/refusal.ts";
import { ApiStatus } from "../../src/api/status.ts";
import { ApiTarget } from "../../src/api/target.ts";
import { describeApi } from "./api-page.ts";

const text = await Bun.file(`${import.meta.dir}/../../docs/api.md`).text();

test("every JSON example in docs/api.md has the shape that the server returns", () => {
  const examples = Array.from(text.matchAll(/```json\n([\s\S]*?)```/g), ([, json = ""]) => JSON.parse(json));
  const schemas = [ApiStatus, ApiHost, ApiTarget, ApiDeployment, ApiDelivery, ApiRefusal, ApiClient];
  expect(examples).toHaveLength(schemas.length);
  for (const [index, schema] of schemas.entries()) {
    const strict = { ...schema, additionalProperties: false };
    const errors = [...Value.Errors(strict, examples[index])].map(
      ({ path, message }) => `${path}: ${message}`,
    );
    expect(errors).toEqual([]);
  }
});

test("the generator rewrites only what is between its markers, and rejects an unknown name", async () => {
  const page = "before\n<!-- generated:codes -->\nPREVIOUS\n<!-- /generated -->\nafter\n";
  const written = await describeApi(page);
  expect(written).toStartWith("before\n<!-- generated:codes -->\n\n### Decision codes\n");
  expect(written).toContain("\n| `locked` | The target is locked. |\n");
  expect(written).toEndWith("|\n\n<!-- /generated -->\nafter\n");
  expect(written).not.toContain("PREVIOUS");
  expect(await describeApi(written)).toBe(written);
  expect(describeApi("<!-- generated:fields:cloud -->\n<!-- /generated -->")).rejects.toThrow("fields:cloud");
});
