import { CloneType, type TSchema, Type } from "@sinclair/typebox";
import { Elysia } from "elysia";
import { ApiPage } from "../../api/page.ts";
import { COMMON_PROBLEMS } from "../../api/problem.ts";
import { Input, PAGE_QUERY } from "./request.ts";

/**
 * Creates an empty set of routes. An unknown name in a request is an error, and so is a field of a response that its
 * schema does not have: without `normalize: false` the framework would drop both.
 */
export function createRoutes() {
  return new Elysia({ strictPath: true, normalize: false });
}

/** The options of a route without query parameters. `responses` are by HTTP status code. */
export function describeRoute<Responses extends Record<number, TSchema>>(
  tag: string,
  summary: string,
  responses: Responses,
) {
  return {
    query: Input({}),
    response: { ...copySchemas(responses), ...COMMON_PROBLEMS },
    detail: { tags: [tag], summary },
  };
}

/** The framework forbids further fields in the schemas that it gets. The command line must accept them. */
function copySchemas<Schemas extends Record<number, TSchema>>(schemas: Schemas): Schemas {
  const copies = { ...schemas };
  for (const [code, schema] of Object.entries(schemas)) Object.assign(copies, { [code]: CloneType(schema) });
  return copies;
}

/** The options of a route that returns a page of items. */
export function describeList<Item extends TSchema, Filters extends Record<string, TSchema>>(
  tag: string,
  summary: string,
  item: Item,
  filters: Filters,
) {
  const query = Input({ ...filters, ...PAGE_QUERY });
  return { ...describeRoute(tag, summary, { 200: ApiPage(item) }), query };
}

/** The OpenAPI description of the responses of a route that does not return JSON. The framework checks none of them. */
export function describeResponses(
  description: string,
  mediaTypes: readonly string[],
  problems: Readonly<Record<number, TSchema>> = {},
) {
  const contentOf = (types: readonly string[], schema: TSchema) =>
    Object.fromEntries(types.map((type) => [type, { schema }]));
  const others = Object.entries({ ...problems, ...COMMON_PROBLEMS }).map(([code, schema]) => [
    code,
    { description: schema.description ?? "", content: contentOf(["application/json"], schema) },
  ]);
  return {
    200: { description, content: contentOf(mediaTypes, Type.String()) },
    ...Object.fromEntries(others),
  };
}
