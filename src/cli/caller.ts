import { hostname } from "node:os";
import { ourAccount } from "../deploy/account.ts";
import type { Admin } from "./admin-client.ts";
import type { Terminal } from "./terminal.ts";

/** Who asks, for the history: the user's name on this machine, and the machine's where the server is another one. */
export function nameCaller({ isElsewhere }: Admin, { env }: Terminal): string {
  const name = ourAccount().USER ?? env.USER ?? "somebody";
  return isElsewhere ? `${name}@${hostname()}` : name;
}
