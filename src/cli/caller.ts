import { hostname, userInfo } from "node:os";
import type { Admin } from "./admin-client.ts";
import type { Terminal } from "./terminal.ts";

/** Who asks, for the history: the user's name on this machine, and the machine's where the server is another one. */
export function nameCaller({ isElsewhere }: Admin, { env }: Terminal): string {
  const name = readUserName() ?? env.USER ?? "somebody";
  return isElsewhere ? `${name}@${hostname()}` : name;
}

/** Null for a user that the system has no name for, as in a container. */
function readUserName(): string | null {
  try {
    return userInfo().username;
  } catch {
    return null;
  }
}
