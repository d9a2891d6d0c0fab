import { createHmac, randomBytes } from "node:crypto";
import type { Secret } from "../lib/secret.ts";
import { createSemaphore } from "../lib/semaphore.ts";
import { hashArgon2id, verifyArgon2id } from "../runtime/index.ts";

/** 64 MiB and two passes, above OWASP's minimum for argon2id (Password Storage Cheat Sheet). */
const COST = { memoryCost: 65_536, timeCost: 2 } as const;

/** KiB of memory that a configured hash may need for each check. */
const MAX_MEMORY = 262_144;

/** Each check needs the memory of its hash. At most two run at a time, for all sources together. */
const verifications = createSemaphore(2, 16, "password checks");

/** Hashes a password with argon2id and a fresh salt, as a PHC string. Rejects when it is empty. */
export function hashPassword(password: string): Promise<string> {
  return hashArgon2id(password, COST);
}

/**
 * Whether a text is an argon2id hash of version 19 as a PHC string, with a cost that is acceptable for each request and
 * meets the minimum of RFC 9106, section 3.1.
 * Source: https://github.com/P-H-C/phc-string-format/blob/master/phc-sf-spec.md
 */
export function isPasswordHash(text: string): boolean {
  const [, memory, lanes, salt = "", digest = ""] =
    /^\$argon2id\$v=19\$m=([1-9]\d{0,6}),t=[1-9]\d?,p=([1-9]|1[0-6])\$([^$]+)\$([^$]+)$/.exec(text) ?? [];
  const isAffordable = Number(memory) >= 8 * Number(lanes) && Number(memory) <= MAX_MEMORY;
  return isAffordable && countBytes(salt) >= 8 && countBytes(digest) >= 16;
}

/**
 * Creates a function that checks passwords against the users' argon2id hashes. An unknown user takes as long as a wrong
 * password. A right password is fast from then on: its HMAC under a key of this process is cached, never the password.
 * Rejects with an {@link AppError} `unavailable` when too many checks are waiting.
 */
export function createPasswordVerifier(
  users: readonly { readonly user: string; readonly hash: Secret }[],
): (shown: { readonly user: string; readonly password: string }) => Promise<boolean> {
  const hashes = new Map(users.map(({ user, hash }) => [user, hash]));
  const [anyHash] = hashes.values();
  const key = randomBytes(32);
  const verified = new Map<string, string>();
  const pending = new Map<string, Promise<boolean>>();

  async function check(user: string, password: string, digest: string): Promise<boolean> {
    const hash = hashes.get(user);
    // For an unknown user another user's hash is computed, so that the time reveals nothing.
    const compared = (hash ?? anyHash)?.reveal();
    if (compared === undefined) return false;
    const matches = await verifications(() => verifyArgon2id(password, compared));
    if (hash === undefined || !matches) return false;
    verified.set(user, digest);
    return true;
  }

  return ({ user, password }) => {
    // The key is secret, so no sender can choose a digest, and the time of the comparison reveals nothing.
    const digest = createHmac("sha256", key).update(`${user}:${password}`).digest("hex");
    if (verified.get(user) === digest) return Promise.resolve(true);
    const known = pending.get(digest);
    if (known !== undefined) return known;
    const checking = check(user, password, digest).finally(() => pending.delete(digest));
    pending.set(digest, checking);
    return checking;
  };
}

/** The number of bytes in an unpadded base64 text; 0 for other text. */
function countBytes(text: string): number {
  const bytes = Buffer.from(text, "base64");
  return bytes.toString("base64").replace(/=+$/, "") === text ? bytes.length : 0;
}
