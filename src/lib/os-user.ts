import { readFileSync } from "node:fs";
import { userInfo } from "node:os";

/** Environment variables that describe a user. */
interface Account {
  readonly HOME?: string;
  readonly USER?: string;
}

let cached: Account | null = null;

/** HOME and USER of the user this process runs as, for service managers that set neither. Looked up once. */
export function currentUser(): Account {
  cached ??= lookUp();
  return cached;
}

function lookUp(): Account {
  try {
    const { homedir, username, uid } = userInfo();
    // Bun returns "unknown" when the environment has no user name.
    const name = username === "unknown" ? userName(uid) : username;
    return name === null ? { HOME: homedir } : { HOME: homedir, USER: name };
  } catch {
    return {}; // A container may run the process under a uid that no account has.
  }
}

/** The name that `/etc/passwd` has for a uid; null when it has none. */
export function userName(uid: number): string | null {
  try {
    return lookUpName(readFileSync("/etc/passwd", "utf8"), uid);
  } catch {
    return null;
  }
}

/** The name that a text in the format of passwd(5) has for a uid; null when it has none. */
export function lookUpName(passwd: string, uid: number): string | null {
  for (const line of passwd.split("\n")) {
    const [name, , number] = line.split(":");
    if (name && number === String(uid)) return name;
  }
  return null;
}
