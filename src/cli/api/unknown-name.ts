import { ApiStatus } from "../../api/status.ts";
import { ApiTarget } from "../../api/target.ts";
import { findNearest } from "../../lib/text.ts";
import { makePrintable } from "../output/sanitise.ts";
import { type Admin, readAdmin, readAllPages } from "./client.ts";

/** Says that a target does not exist, and names the one that was probably meant; null if the target exists. */
export async function explainUnknownTarget(name: string, admin: Admin): Promise<string | null> {
  const { value } = await readAllPages(ApiTarget, admin, { path: "/api/targets" });
  return explainUnknown("target", name, value.items);
}

/** Says that a source does not exist, and names the one that was probably meant; null if the source exists. */
export async function explainUnknownSource(name: string, admin: Admin): Promise<string | null> {
  const { value } = await readAdmin(ApiStatus, admin, { path: "/api/status" });
  return explainUnknown("source", name, value.sources);
}

/** Says that a host does not exist, and names the one that was probably meant; null if the host exists. */
export async function explainUnknownHost(name: string, admin: Admin): Promise<string | null> {
  const { value } = await readAdmin(ApiStatus, admin, { path: "/api/status" });
  return explainUnknown("host", name, value.hosts ?? [{ name: value.host }]);
}

/** Names that an error lists. */
const MAX_LISTED = 10;

function explainUnknown(
  kind: "host" | "source" | "target",
  name: string,
  existing: readonly { readonly name: string }[],
): string | null {
  if (existing.some((each) => each.name === name)) return null;
  const names = existing.map((each) => makePrintable(each.name));
  const missing = `no ${kind} ${makePrintable(name)}`;
  if (kind !== "host" && names.length === 0)
    return `${missing}: the server's configuration has no [[${kind}]]`;
  const { word, isLikely } = findNearest(name, names);
  if (isLikely) return `${missing}; did you mean ${word}?`;
  const others = names.length > MAX_LISTED ? ` and ${names.length - MAX_LISTED} more` : "";
  return `${missing}; the ${kind}s are ${names.slice(0, MAX_LISTED).join(", ")}${others}`;
}
