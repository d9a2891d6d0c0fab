import { createHmac, randomBytes } from "node:crypto";
import type { Secret } from "../lib/secret.ts";
import { createSemaphore } from "../lib/semaphore.ts";

/** 64 MiB and two passes: more than OWASP's least for argon2id (Password Storage Cheat Sheet). */
const COST = { algorithm: "argon2id", memoryCost: 65_536, timeCost: 2 } as const;

/** A hash may ask for at most this much memory, in KiB, whenever a password is checked. */
const MOST_MEMORY = 262_144;

/** Each check holds the memory that its hash asks for: of all sources together, two at once. */
const verifications = createSemaphore(2, 16);

/** The argon2id hash of a password with a fresh salt, as a PHC string. Throws on an empty password. */
export function hashPassword(password: string): Promise<string> {
  return Bun.password.hash(password, COST);
}

/**
 * Whether a text is an argon2id hash of version 19 as a PHC string, at a cost that can be afforded for each request
 * and above the least that RFC 9106, section 3.1, knows.
 * Source: https://github.com/P-H-C/phc-string-format/blob/master/phc-sf-spec.md
 */
export function isPasswordHash(text: string): boolean {
  const [, memory, lanes, salt = "", digest = ""] =
    /^\$argon2id\$v=19\$m=([1-9]\d{0,6}),t=[1-9]\d?,p=([1-9]|1[0-6])\$([^$]+)\$([^$]+)$/.exec(text) ?? [];
  const fits = Number(memory) >= 8 * Number(lanes) && Number(memory) <= MOST_MEMORY;
  return fits && countBytes(salt) >= 8 && countBytes(digest) >= 16;
}

/**
 * Makes the check of users' passwords against their argon2id hashes. It takes as long for a user that there is not.
 * A right password is remembered, not itself but under a key of this process, and is quick from then on. Rejects with
 * a {@link Fault} `unavailable` when too many wait.
 */
export function createPasswordVerifier(
  users: readonly { readonly user: string; readonly hash: Secret }[],
): (shown: { readonly user: string; readonly password: string }) => Promise<boolean> {
  const hashes = new Map(users.map(({ user, hash }) => [user, hash]));
  const [anyone] = hashes.values();
  const key = randomBytes(32);
  const right = new Map<string, string>();
  const underWay = new Map<string, Promise<boolean>>();

  async function check(user: string, password: string, mark: string): Promise<boolean> {
    const hash = hashes.get(user);
    // For a stranger somebody else's hash is tried, for nothing but the time that it takes.
    const tried = (hash ?? anyone)?.reveal();
    if (tried === undefined) return false;
    const fits = await verifications(() => Bun.password.verify(password, tried));
    if (hash === undefined || !fits) return false;
    right.set(user, mark);
    return true;
  }

  return ({ user, password }) => {
    // Whoever does not know the key cannot steer a mark, so the time of comparing two tells nothing.
    const mark = createHmac("sha256", key).update(`${user}:${password}`).digest("hex");
    if (right.get(user) === mark) return Promise.resolve(true);
    const known = underWay.get(mark);
    if (known !== undefined) return known;
    const checking = check(user, password, mark).finally(() => underWay.delete(mark));
    underWay.set(mark, checking);
    return checking;
  };
}

/** How many bytes an unpadded base64 text stands for; 0 when it is not one. */
function countBytes(text: string): number {
  const bytes = Buffer.from(text, "base64");
  return bytes.toString("base64").replace(/=+$/, "") === text ? bytes.length : 0;
}
