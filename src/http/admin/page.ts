import { type TSchema, Type } from "@sinclair/typebox";
import { DEFAULT_PAGE, MAX_PAGE, type Page, type PageRange } from "../../domain/page.ts";
import { IdText, orNull } from "./schema.ts";

/** The query parameters of every list. */
export const PAGE_QUERY = {
  limit: Type.Optional(
    Type.String({
      pattern: "^(?:[1-9]\\d?|[1-4]\\d\\d|500)$",
      expected: `a whole number from 1 to ${MAX_PAGE}`,
      description: `a whole number from 1 to ${MAX_PAGE}, ${DEFAULT_PAGE} when left out`,
    }),
  ),
  before: Type.Optional(IdText),
};

/** The part of a list that a query asks for. */
export function readRange({ limit, before }: { limit?: string; before?: string }): PageRange {
  return {
    limit: limit === undefined ? DEFAULT_PAGE : Number(limit),
    before: before === undefined ? null : Number(before),
  };
}

/** One page of a list, newest first. */
export function pageOf<Item extends TSchema>(item: Item) {
  return Type.Object({
    items: Type.Array(item),
    next: orNull(Type.Integer({ description: "ask with before=<this> for what follows" })),
  });
}

/** A page with its items as the API has them. */
export function describePage<Item, Described>(
  { items, next }: Page<Item>,
  describe: (item: Item) => Described,
) {
  return { items: items.map(describe), next };
}
