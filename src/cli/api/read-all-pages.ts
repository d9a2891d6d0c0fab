import type { Static, TSchema } from "@sinclair/typebox";
import { ApiPage } from "../../api/page.ts";
import { MAX_PAGE } from "../../domain/page.ts";
import { type Admin, type AdminRequest, type AdminResponse, readAdmin } from "./client.ts";

/** A list that is no longer than a configuration. */
interface WholeList<Item> {
  readonly items: readonly Item[];
  readonly next: null;
}

/** Reads all of a list, page after page, and tells it as one. Throws as {@link readAdmin} does. */
export async function readAllPages<Item extends TSchema>(
  item: Item,
  admin: Admin,
  { query, ...request }: Omit<AdminRequest, "method">,
): Promise<AdminResponse<WholeList<Static<Item>>>> {
  const items: Static<Item>[] = [];
  for (let before: number | undefined; ; ) {
    const page = { ...query, limit: MAX_PAGE, before };
    const told = await readAdmin(ApiPage(item), admin, { ...request, method: "GET", query: page });
    if (!told.ok) return told;
    items.push(...told.value.items);
    before = told.value.next ?? undefined;
    if (before === undefined) break;
  }
  const value = { items, next: null };
  return { ok: true, value, json: JSON.stringify(value) };
}
