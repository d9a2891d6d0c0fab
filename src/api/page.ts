import { type TSchema, Type } from "@sinclair/typebox";
import type { Page } from "../domain/page.ts";
import { Id, nullable } from "./schema.ts";

/** The schema of one page of a list. */
export function ApiPage<Item extends TSchema>(item: Item) {
  return Type.Object({
    items: Type.Array(item),
    next: nullable(Id, "`before` of the next page; null on the last page"),
  });
}

/** One page of a list as JSON. */
export function toApiPage<Item, ApiItem>({ items, next }: Page<Item>, toApi: (item: Item) => ApiItem) {
  return { items: items.map(toApi), next };
}
