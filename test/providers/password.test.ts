import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { Secret } from "../../src/domain/secret.ts";
import { hashPassword, isPasswordHash, openPasswords } from "../../src/providers/password.ts";
import { loadSecret } from "./load-secret.ts";

setDefaultTimeout(120_000);

/** From the tests of argon2's reference implementation: the password "password", at a cost that tests can afford. */
const VECTOR = "$argon2id$v=19$m=256,t=2,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4";
const [SALT, DIGEST] = ["c29tZXNhbHQ", "nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4"];

const cheapHash = async (password: string) =>
  loadSecret(await Bun.password.hash(password, { algorithm: "argon2id", memoryCost: 64, timeCost: 1 }));

describe("isPasswordHash", () => {
  test("takes what hashPassword makes, of 64 MiB and two passes, with a fresh salt each time", async () => {
    const [first, second] = [await hashPassword("a password"), await hashPassword("a password")];
    expect(first).toStartWith("$argon2id$v=19$m=65536,t=2,p=1$");
    expect(isPasswordHash(first)).toBe(true);
    expect(second).not.toBe(first);
  });

  for (const [what, text] of [
    ["a published hash", VECTOR],
    ["several lanes", `$argon2id$v=19$m=262144,t=3,p=4$${SALT}$${DIGEST}`],
  ] as const) {
    test(`takes ${what}`, () => expect(isPasswordHash(text)).toBe(true));
  }

  for (const [what, text] of [
    ["nothing", ""],
    ["a password", "correct horse battery staple"],
    ["argon2i", VECTOR.replace("argon2id", "argon2i")],
    ["bcrypt", "$2b$10$Ro0CUfOqk6cXEKf3dyaM7OhSCvnwM9s4wIX9JeLapehKK5YdLxKcm"],
    ["version 16", VECTOR.replace("v=19", "v=16")],
    ["no version", VECTOR.replace("$v=19", "")],
    ["no passes", VECTOR.replace("t=2", "t=0")],
    ["no lanes", VECTOR.replace("p=1", "p=0")],
    ["less memory than the lanes need", VECTOR.replace("m=256,t=2,p=1", "m=31,t=2,p=4")],
    ["more memory than can be afforded", VECTOR.replace("m=256", "m=262145")],
    ["more passes than can be afforded", VECTOR.replace("t=2", "t=100")],
    ["a salt of seven bytes", VECTOR.replace(SALT, "c29tc2FsdA")],
    ["a salt that is not base64", VECTOR.replace(SALT, "c29tZXNhbH!")],
    ["a digest cut short", VECTOR.slice(0, -22)],
    ["a digest with idle bits", VECTOR.replace(/4$/, "5")],
    ["padding", `${VECTOR}=`],
    ["a newline at its end", `${VECTOR}\n`],
    ["a second hash", VECTOR + VECTOR],
  ] as const) {
    test(`refuses ${what}`, () => expect(isPasswordHash(text)).toBe(false));
  }
});

describe("a password", () => {
  test("is right for its user, also when it was before", async () => {
    const isRight = openPasswords([
      { user: "ada", hash: loadSecret(VECTOR) },
      { user: "bob", hash: await cheapHash("Passwort für Bob ♥") },
    ]);
    for (const _time of ["first", "remembered"]) {
      expect(await isRight({ user: "ada", password: "password" })).toBe(true);
      expect(await isRight({ user: "bob", password: "Passwort für Bob ♥" })).toBe(true);
    }
  });

  test("is wrong for anybody else, before and after it was right for its user", async () => {
    const users = [
      { user: "ada", hash: loadSecret(VECTOR) },
      { user: "bob", hash: await cheapHash("bob's password") },
    ];
    const isRight = openPasswords(users);
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
        ["nobody", "password"],
        ["__proto__", "password"],
      ] as const) {
        expect(await isRight({ user, password })).toBe(false);
      }
      expect(await isRight({ user: "ada", password: "password" })).toBe(true);
    }
  });

  test("of many requests at the same moment is checked once, and each of them hears it", async () => {
    const isRight = openPasswords([{ user: "ada", hash: loadSecret(VECTOR) }]);
    const ask = (password: string) => Array.from({ length: 100 }, () => isRight({ user: "ada", password }));
    expect(await Promise.all(ask("password"))).toEqual(Array(100).fill(true));
    expect(await Promise.all(ask("wrong"))).toEqual(Array(100).fill(false));
  });

  test("of more strangers than may wait is unavailable, and the right one is taken again afterwards", async () => {
    const isRight = openPasswords([{ user: "ada", hash: loadSecret(VECTOR) }]);
    const guesses = Array.from({ length: 40 }, (_, n) => isRight({ user: "ada", password: `guess ${n}` }));
    const outcomes = await Promise.allSettled(guesses);
    const refused = outcomes.filter(({ status }) => status === "rejected");
    expect(refused).toHaveLength(40 - 2 - 16);
    for (const outcome of refused) expect(outcome).toMatchObject({ reason: { code: "unavailable" } });
    expect(outcomes).not.toContainEqual({ status: "fulfilled", value: true });
    expect(await isRight({ user: "ada", password: "password" })).toBe(true);
  });

  test("is never right where there is no user", async () => {
    expect(await openPasswords([])({ user: "ada", password: "password" })).toBe(false);
  });

  test("is checked against nothing when the hash was never loaded", async () => {
    const isRight = openPasswords([{ user: "ada", hash: new Secret({ kind: "env", name: "MISSING" }) }]);
    await expect(isRight({ user: "ada", password: "" })).rejects.toThrow("env:MISSING was not loaded");
  });
});
