import { hostname } from "node:os";
import { currentUser } from "../lib/os-user.ts";
import type { Admin } from "./api/client.ts";
import type { Terminal } from "./terminal.ts";

/** Who asks, for the history: the user's name on this machine, and the machine's where the server is another one. */
export function operatorName({ isElsewhere }: Admin, { env }: Terminal): string {
  const name = currentUser().USER ?? env.USER ?? "somebody";
  return isElsewhere ? `${name}@${hostname()}` : name;
}
