import { OptionalKind, type TObject, type TSchema } from "@sinclair/typebox";
import type { Provider } from "../domain/provider.ts";
import { AcmeTable } from "./acme-schema.ts";
import { NotifyTable } from "./notify-schema.ts";
import { AdminTable, DocumentTable, ServerTable, SourceTable } from "./schema.ts";
import { createRangesTable } from "./server.ts";
import { StoreTable } from "./store-schema.ts";
import { TargetTable } from "./target-schema.ts";

type JsonSchema = Readonly<Record<string, unknown>>;

/** The schema of a table. */
interface JsonTable extends JsonSchema {
  readonly properties: Readonly<Record<string, JsonSchema>>;
}

/**
 * The configuration file as a JSON Schema (draft 07), with which editors complete and check it. It checks each value alone,
 * and not the formats that only a program can check: `hooklatch check` finds the rest.
 */
export function createJsonSchema(providers: readonly Provider[]): JsonSchema {
  const { properties } = DocumentTable;
  const { acme, ...ownServer } = ServerTable.properties;
  const server = {
    ...toTable({ properties: { ...ownServer, ...createRangesTable(providers).properties } }),
    description: toText(properties.server.description),
  };
  const acmeTable = { ...toTable(AcmeTable), description: toText(acme.description) };
  const sources = providers.map(({ name, options, summary }) => {
    const table = toTable({ properties: { ...SourceTable.properties, ...options.properties } });
    const provider = { ...table.properties.provider, const: name };
    return { ...table, title: name, description: summary, properties: { ...table.properties, provider } };
  });
  const list = (description: string | undefined, items: JsonSchema) => ({
    description,
    type: "array",
    items,
  });
  return {
    $schema: "http://json-schema.org/draft-07/schema#",
    title: "hooklatch.toml",
    type: "object",
    additionalProperties: false,
    properties: {
      data_dir: toJsonSchema(properties.data_dir),
      server: { ...server, properties: { ...server.properties, acme: acmeTable } },
      admin: { ...toTable(AdminTable), description: toText(properties.admin.description) },
      store: { ...toTable(StoreTable), description: toText(properties.store.description) },
      source: list(toText(properties.source.description), { anyOf: sources }),
      target: list(toText(properties.target.description), toTable(TargetTable)),
      notify: list(toText(properties.notify.description), toTable(NotifyTable)),
    },
  };
}

/** Keys with a default may be left out, although their TypeBox schema is not optional. */
function toTable({ properties }: Pick<TObject, "properties">): JsonTable {
  const entries = Object.entries(properties);
  const required = entries.filter(
    ([, schema]) => schema[OptionalKind] === undefined && schema.default === undefined,
  );
  return {
    type: "object",
    properties: Object.fromEntries(entries.map(([key, schema]) => [key, toJsonSchema(schema)])),
    ...(required.length > 0 && { required: required.map(([key]) => key) }),
    additionalProperties: false,
  };
}

/** The keywords of TypeBox schemas that JSON Schema has too. The others are for messages, or name a function. */
const KEYWORDS = [
  "type",
  "const",
  "default",
  "pattern",
  "minLength",
  "maxLength",
  "minimum",
  "maximum",
  "minItems",
  "maxItems",
];

function toJsonSchema(schema: TSchema): JsonSchema {
  const common = Object.fromEntries(
    KEYWORDS.flatMap((key) => (schema[key] === undefined ? [] : [[key, schema[key]]])),
  );
  const description = schema.description === undefined ? {} : { description: toText(schema.description) };
  if (schema.properties !== undefined) return { ...toTable(schema as TObject), ...description };
  return {
    ...common,
    ...description,
    ...(schema.items !== undefined && { items: toJsonSchema(schema.items) }),
    ...(schema.anyOf !== undefined && toChoice(schema.anyOf)),
    ...(schema.patternProperties !== undefined && { additionalProperties: toValues(schema) }),
  };
}

/** Editors offer the values of an `enum`. */
function toChoice(choices: readonly TSchema[]): JsonSchema {
  return choices.every((each) => each.const !== undefined)
    ? { enum: choices.map((each) => each.const) }
    : { anyOf: choices.map(toJsonSchema) };
}

/** The schema of the values of a table with keys of any name. */
function toValues({ patternProperties }: TSchema): JsonSchema {
  const [first] = Object.values(patternProperties as Readonly<Record<string, TSchema>>);
  return first === undefined ? {} : toJsonSchema(first);
}

/** The text of Markdown, whose links are relative to the documentation. */
function toText(markdown = ""): string {
  return markdown.replaceAll(/\[([^\]]*)\]\([^)]*\)/g, "$1");
}
