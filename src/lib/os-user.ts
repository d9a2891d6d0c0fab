import { readFileSync } from "node:fs";
import { userInfo } from "node:os";

/** What the machine knows of the account we run as. */
interface Account {
  readonly HOME?: string;
  readonly USER?: string;
}

let known: Account | null = null;

/** HOME and USER of the account we run as, looked up once: a service manager may have set neither. */
export function currentUser(): Account {
  known ??= lookUp();
  return known;
}

function lookUp(): Account {
  try {
    const { homedir, username, uid } = userInfo();
    // Bun says "unknown" where the environment does not tell it a name.
    const name = username === "unknown" ? userName(uid) : username;
    return name === null ? { HOME: homedir } : { HOME: homedir, USER: name };
  } catch {
    return {}; // A container may run us under a number that no account has.
  }
}

/** The name that the system's list of users has for a number; null when it has none. */
export function userName(uid: number): string | null {
  try {
    return lookUpName(readFileSync("/etc/passwd", "utf8"), uid);
  } catch {
    return null;
  }
}

/** The name that text in the form of passwd(5) has for a user number; null when it has none. */
export function lookUpName(passwd: string, uid: number): string | null {
  for (const line of passwd.split("\n")) {
    const [name, , number] = line.split(":");
    if (name && number === String(uid)) return name;
  }
  return null;
}
