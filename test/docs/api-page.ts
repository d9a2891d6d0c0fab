import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { TObject, TSchema } from "@sinclair/typebox";
import { ApiClient } from "../../src/api/client.ts";
import { ApiDeliveryDetails } from "../../src/api/delivery.ts";
import { ApiDeployment } from "../../src/api/deployment.ts";
import { ApiHost } from "../../src/api/host.ts";
import { COMMON_PROBLEMS } from "../../src/api/problem.ts";
import { ApiRefusal } from "../../src/api/refusal.ts";
import { ApiStatus } from "../../src/api/status.ts";
import { ApiTargetDetails } from "../../src/api/target.ts";
import { DECISION_CODES, NOTIFICATION_CODES, REFUSAL_CODES, RESULT_CODES } from "../../src/domain/codes.ts";
import { openAdmin } from "../http/admin-harness.ts";

const PAGE = join(import.meta.dir, "../../docs/api.md");

/** The objects whose fields the page lists. */
const OBJECTS: Readonly<Record<string, TObject>> = {
  status: ApiStatus,
  host: ApiHost,
  target: ApiTargetDetails,
  deployment: ApiDeployment,
  delivery: ApiDeliveryDetails,
  refusal: ApiRefusal,
  client: ApiClient,
};

const CODES: readonly (readonly [heading: string, codes: Readonly<Record<string, string>>])[] = [
  ["Decision", DECISION_CODES],
  ["Deployment", RESULT_CODES],
  ["Refusal", REFUSAL_CODES],
  ["Notification", NOTIFICATION_CODES],
];

/** The parts of an OpenAPI document that the page shows. */
interface OpenApi {
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>;
}

interface Operation {
  readonly tags: readonly string[];
  readonly summary: string;
  readonly parameters?: readonly { readonly name: string; readonly in: string }[];
  readonly requestBody?: { readonly content: { readonly "application/json": { readonly schema: TObject } } };
  readonly responses: Readonly<Record<string, unknown>>;
}

/**
 * Returns docs/api.md with its generated parts rewritten. A part is between `<!-- generated:NAME -->` and
 * `<!-- /generated -->`; NAME is `codes`, `fields:` and an object, or `routes:` and a tag of the OpenAPI document.
 */
export async function describeApi(page = readFileSync(PAGE, "utf8")): Promise<string> {
  const openApi = await readOpenApi();
  return page.replaceAll(
    /(<!-- generated:([\w:-]+) -->\n)[\s\S]*?(<!-- \/generated -->)/g,
    (_, start: string, name: string, end: string) => `${start}\n${generate(name, openApi)}\n\n${end}`,
  );
}

function generate(name: string, openApi: OpenApi): string {
  const [kind, of = ""] = name.split(":");
  const schema = OBJECTS[of];
  if (kind === "codes") return CODES.map(([heading, codes]) => describeCodes(heading, codes)).join("\n\n");
  if (kind === "routes") return describeRoutes(openApi, of);
  if (kind === "fields" && schema !== undefined) return describeFields(schema);
  throw new Error(`docs/api.md: nothing is generated for ${name}`);
}

/** Reads the OpenAPI document from the admin listener. */
async function readOpenApi(): Promise<OpenApi> {
  const admin = await openAdmin();
  try {
    return (await (await admin.request("GET", "/openapi.json")).json()) as OpenApi;
  } finally {
    await admin.close();
  }
}

function describeCodes(heading: string, codes: Readonly<Record<string, string>>): string {
  const rows = Object.entries(codes).map(([code, meaning]) => [`\`${code}\``, meaning]);
  return `### ${heading} codes\n\n${formatTable(["code", "meaning"], rows)}`;
}

function describeRoutes({ paths }: OpenApi, tag: string): string {
  const rows = Object.entries(paths).flatMap(([path, operations]) =>
    Object.entries(operations)
      .filter(([, { tags }]) => tags.includes(tag))
      .map(([method, operation]) => [
        `\`${method.toUpperCase()} ${path}\``,
        operation.summary,
        describeInput(operation),
        describeResponses(operation),
      ]),
  );
  return formatTable(["request", "purpose", "parameters", "responses"], rows);
}

/** The query parameters or the fields of the body, such as `?limit` or `{ "reason", "by"? }`. */
function describeInput({ parameters = [], requestBody }: Operation): string {
  const query = parameters.filter((parameter) => parameter.in === "query").map(({ name }) => `\`?${name}\``);
  const { properties = {}, required = [] } = requestBody?.content["application/json"].schema ?? {};
  const fields = Object.keys(properties).map((name) => `"${name}"${required.includes(name) ? "" : "?"}`);
  return fields.length > 0 ? `\`{ ${fields.join(", ")} }\`` : query.join(" ");
}

/** The codes of the responses, without those that every request can have. */
function describeResponses({ responses }: Operation): string {
  const codes = Object.keys(responses).filter((code) => !Object.hasOwn(COMMON_PROBLEMS, code));
  return codes.join(", ");
}

/** One row for each field, and for each described field of an object in it, such as `steps[].signal`. */
function describeFields(schema: TObject): string {
  const rows = Object.entries(schema.properties).flatMap(([name, field]) => {
    const nested = listNested(name, field).filter(([, , meaning]) => meaning !== "");
    return [describeField(name, field), ...nested];
  });
  return formatTable(["field", "type", "meaning"], rows);
}

function describeField(
  name: string,
  schema: TSchema,
): readonly [name: string, type: string, meaning: string] {
  return [`\`${name}\``, describeType(schema), describeMeaning(schema)];
}

function listNested(name: string, schema: TSchema): readonly ReturnType<typeof describeField>[] {
  const [member = schema] = (schema.anyOf ?? []) as readonly TSchema[];
  const { properties } = (member.type === "array" ? member.items : member) as Partial<TObject>;
  const path = member.type === "array" ? `${name}[]` : name;
  return Object.entries(properties ?? {}).map(([key, field]) => describeField(`${path}.${key}`, field));
}

/** Such as `text`, `whole number or null`, `list of objects`. */
function describeType(schema: TSchema): string {
  const members: readonly TSchema[] = schema.anyOf ?? [];
  if (members.length > 0) return members.map(describeType).join(" or ");
  if (schema.format === "date-time") return "time";
  if (schema.type === "array") return `list of ${describeType(schema.items)}s`;
  return schema.type === "string" ? "text" : schema.type === "integer" ? "whole number" : String(schema.type);
}

function describeMeaning(schema: TSchema): string {
  const [member = schema] = (schema.anyOf ?? []) as readonly TSchema[];
  const text = (member.description ?? schema.description ?? "").split("\n")[0] ?? "";
  if (text.endsWith(":")) return `${text.slice(0, -1)}, see [Codes](#codes)`;
  const words = (member.enum ?? []) as readonly string[];
  const list = words.filter((word) => word !== null).map((word) => `\`${word}\``);
  return [text, list.join(", ")].filter((part) => part !== "").join(": ");
}

function formatTable(headings: readonly string[], rows: readonly (readonly string[])[]): string {
  const lines = [headings, headings.map(() => "---"), ...rows];
  return lines
    .map((cells) => `| ${cells.map((cell) => cell.replaceAll("|", "\\|")).join(" | ")} |`)
    .join("\n");
}
