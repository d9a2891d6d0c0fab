import { ApiTarget } from "../../api/target.ts";
import { findNearest } from "../../lib/text.ts";
import { makePrintable } from "../output/sanitise.ts";
import { type Admin, readAllPages } from "./client.ts";

/** Targets that an error lists. */
const MAX_LISTED = 10;

/** Says that a target does not exist, and names the one that was probably meant; null if the target exists. */
export async function explainUnknownTarget(name: string, admin: Admin): Promise<string | null> {
  const { value } = await readAllPages(ApiTarget, admin, { path: "/api/targets" });
  if (value.items.some((item) => item.name === name)) return null;
  const names = value.items.map((item) => makePrintable(item.name));
  const missing = `no target ${makePrintable(name)}`;
  if (names.length === 0) return `${missing}: the server's configuration has no [[target]]`;
  const { word, isLikely } = findNearest(name, names);
  if (isLikely) return `${missing}; did you mean ${word}?`;
  const others = names.length > MAX_LISTED ? ` and ${names.length - MAX_LISTED} more` : "";
  return `${missing}; the targets are ${names.slice(0, MAX_LISTED).join(", ")}${others}`;
}
