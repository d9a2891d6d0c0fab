import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { Secret } from "../../src/lib/secret.ts";
import { createPasswordVerifier, hashPassword, isPasswordHash } from "../../src/providers/password.ts";
import { catchError } from "./catch-error.ts";
import { loadSecret } from "./load-secret.ts";

setDefaultTimeout(120_000);

/** From the tests of the argon2 reference implementation: the password "password" at a low cost. */
const VECTOR = "$argon2id$v=19$m=256,t=2,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4";
const [SALT, DIGEST] = ["c29tZXNhbHQ", "nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4"];

const cheapHash = async (password: string) =>
  loadSecret(await Bun.password.hash(password, { algorithm: "argon2id", memoryCost: 64, timeCost: 1 }));

describe("isPasswordHash", () => {
  test("accepts the hashes of hashPassword, which use 64 MiB, two passes and a new salt each time", async () => {
    const [first, second] = [await hashPassword("a password"), await hashPassword("a password")];
    expect(first).toStartWith("$argon2id$v=19$m=65536,t=2,p=1$");
    expect(isPasswordHash(first)).toBe(true);
    expect(second).not.toBe(first);
  });

  for (const [what, text] of [
    ["a published hash", VECTOR],
    ["a hash with several lanes", `$argon2id$v=19$m=262144,t=3,p=4$${SALT}$${DIGEST}`],
  ] as const) {
    test(`accepts ${what}`, () => expect(isPasswordHash(text)).toBe(true));
  }

  for (const [what, text] of [
    ["an empty string", ""],
    ["a password", "correct horse battery staple"],
    ["argon2i", VECTOR.replace("argon2id", "argon2i")],
    ["bcrypt", "$2b$10$Ro0CUfOqk6cXEKf3dyaM7OhSCvnwM9s4wIX9JeLapehKK5YdLxKcm"],
    ["version 16", VECTOR.replace("v=19", "v=16")],
    ["no version", VECTOR.replace("$v=19", "")],
    ["no passes", VECTOR.replace("t=2", "t=0")],
    ["no lanes", VECTOR.replace("p=1", "p=0")],
    ["less memory than the lanes need", VECTOR.replace("m=256,t=2,p=1", "m=31,t=2,p=4")],
    ["more memory than the limit", VECTOR.replace("m=256", "m=262145")],
    ["more passes than the limit", VECTOR.replace("t=2", "t=100")],
    ["a salt of seven bytes", VECTOR.replace(SALT, "c29tc2FsdA")],
    ["a salt that is not base64", VECTOR.replace(SALT, "c29tZXNhbH!")],
    ["a truncated digest", VECTOR.slice(0, -22)],
    ["a digest with non-zero trailing bits", VECTOR.replace(/4$/, "5")],
    ["padding", `${VECTOR}=`],
    ["a trailing newline", `${VECTOR}\n`],
    ["a second hash", VECTOR + VECTOR],
  ] as const) {
    test(`rejects ${what}`, () => expect(isPasswordHash(text)).toBe(false));
  }
});

describe("password verifier", () => {
  test("accepts the password of its user, the first time and from the cache", async () => {
    const isCorrect = createPasswordVerifier([
      { user: "ada", hash: loadSecret(VECTOR) },
      { user: "bob", hash: await cheapHash("Passwort für Bob ♥") },
    ]);
    for (const _time of ["first", "cached"]) {
      expect(await isCorrect({ user: "ada", password: "password" })).toBe(true);
      expect(await isCorrect({ user: "bob", password: "Passwort für Bob ♥" })).toBe(true);
    }
  });

  test("rejects any other user or password, before and after a password is cached", async () => {
    const users = [
      { user: "ada", hash: loadSecret(VECTOR) },
      { user: "bob", hash: await cheapHash("bob's password") },
    ];
    const isCorrect = createPasswordVerifier(users);
    for (const _time of ["before", "after"]) {
      for (const [user, password] of [
        ["ada", "Password"],
        ["ada", "password "],
        ["ada", "bob's password"],
        ["ada", ""],
        ["ada", VECTOR],
        ["bob", "password"],
        ["Ada", "password"],
        ["", "password"],
        ["unknown", "password"],
        ["__proto__", "password"],
      ] as const) {
        expect(await isCorrect({ user, password })).toBe(false);
      }
      expect(await isCorrect({ user: "ada", password: "password" })).toBe(true);
    }
  });

  test("hashes once for many concurrent requests and answers all of them", async () => {
    const isCorrect = createPasswordVerifier([{ user: "ada", hash: loadSecret(VECTOR) }]);
    const ask = (password: string) => Array.from({ length: 100 }, () => isCorrect({ user: "ada", password }));
    expect(await Promise.all(ask("password"))).toEqual(Array(100).fill(true));
    expect(await Promise.all(ask("wrong"))).toEqual(Array(100).fill(false));
  });

  test("rejects requests beyond the queue limit as unavailable and accepts a correct password afterwards", async () => {
    const isCorrect = createPasswordVerifier([{ user: "ada", hash: loadSecret(VECTOR) }]);
    const attempts = Array.from({ length: 40 }, (_, n) =>
      isCorrect({ user: "ada", password: `attempt ${n}` }),
    );
    const outcomes = await Promise.allSettled(attempts);
    const rejected = outcomes.filter(({ status }) => status === "rejected");
    expect(rejected).toHaveLength(40 - 2 - 16);
    for (const outcome of rejected) expect(outcome).toMatchObject({ reason: { code: "unavailable" } });
    expect(outcomes).not.toContainEqual({ status: "fulfilled", value: true });
    expect(await isCorrect({ user: "ada", password: "password" })).toBe(true);
  });

  test("rejects every password when no user is configured", async () => {
    expect(await createPasswordVerifier([])({ user: "ada", password: "password" })).toBe(false);
  });

  test("throws when the hash was never loaded", async () => {
    const isCorrect = createPasswordVerifier([
      { user: "ada", hash: new Secret({ kind: "env", name: "MISSING" }) },
    ]);
    const error = await catchError(() => isCorrect({ user: "ada", password: "" }));
    expect(error.message).toContain("env:MISSING");
    expect(error.message).toMatchSnapshot();
  });
});
