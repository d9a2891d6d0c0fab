import { type StaticDecode, Type } from "@sinclair/typebox";
import { Duration, SecretReference, Table } from "../../domain/setting.ts";
import type { SignatureStyle } from "../hmac.ts";

/** How a request may prove itself, in the order in which it is checked: what costs least comes first. */
export const METHODS = ["client", "bearer", "hmac", "basic"] as const;

/** One of the ways in which a request proves itself. */
export type Method = (typeof METHODS)[number];

const Secrets = Type.Array(SecretReference, { minItems: 1, expected: "a list of secrets" });

const User = Table({
  // What RFC 7617, section 2, allows: a colon ends the name.
  user: Type.String({
    pattern: "^[^:\\x00-\\x1f\\x7f]{1,255}$",
    expected: "a name without colons and control characters",
  }),
  hash: SecretReference,
});

const Hmac = Table({
  // A token of RFC 9110, section 5.6.2.
  header: Type.String({
    pattern: "^[!#$%&'*+.^_`|~0-9A-Za-z-]{1,100}$",
    expected: 'the name of a header, such as "x-signature"',
  }),
  algorithm: Type.Optional(
    Type.Union([Type.Literal("sha256"), Type.Literal("sha512")], { expected: '"sha256" or "sha512"' }),
  ),
  encoding: Type.Optional(
    Type.Union([Type.Literal("hex"), Type.Literal("base64")], { expected: '"hex" or "base64"' }),
  ),
  prefix: Type.Optional(
    Type.String({
      // White space at the beginning of a header's value is no part of it.
      pattern: "^(?:[\\x21-\\x7e][\\x20-\\x7e]{0,63})?$",
      expected: 'at most 64 ASCII characters that do not begin with a space, such as "sha256="',
    }),
  ),
  secrets: Secrets,
});

/** The keys of a generic source. */
export const GenericOptions = Type.Object({
  verify_token: Type.Optional(SecretReference),
  client_timeout: Type.Optional(Duration),
  client_prefix_v6: Type.Optional(
    Type.Integer({ minimum: 64, maximum: 128, expected: "a whole number of bits from 64 to 128" }),
  ),
  bearer: Type.Optional(Secrets),
  basic: Type.Optional(Type.Array(User, { minItems: 1, expected: "a list of { user, hash }" })),
  hmac: Type.Optional(Hmac),
  require: Type.Optional(
    Type.Array(
      Type.Union(
        [Type.Literal("client"), Type.Literal("bearer"), Type.Literal("hmac"), Type.Literal("basic")],
        { expected: '"client", "bearer", "basic" or "hmac"' },
      ),
      { minItems: 1, uniqueItems: true, expected: "a list of at least one method, each once" },
    ),
  ),
});

/** The settings of a generic source. */
export type GenericSettings = StaticDecode<typeof GenericOptions>;

/**
 * What a request must prove, all of it. Where nothing is said: each method that is set, and the client check beside
 * them only where a verify token is written.
 */
export function requiredMethods(settings: GenericSettings): readonly Method[] {
  const { require, verify_token: token } = settings;
  if (require !== undefined) return METHODS.filter((method) => require.includes(method));
  const set = METHODS.filter((method) => method !== "client" && settings[method] !== undefined);
  return set.length === 0 || token !== undefined ? ["client", ...set] : set;
}

/** How an hmac source has its signatures, with the defaults. */
export function describeStyle({
  algorithm = "sha256",
  encoding = "hex",
  prefix = "",
}: NonNullable<GenericSettings["hmac"]>): SignatureStyle {
  return { algorithm, encoding, prefix };
}
