import { type StaticDecode, Type } from "@sinclair/typebox";
import type { InvalidVariable, OptionVariable } from "../../domain/provider.ts";
import { DurationUpTo, HEADER_NAME, SecretSetting, TableSetting } from "../../lib/schema.ts";
import { SecretList } from "../forge.ts";
import type { SignatureStyle } from "../hmac.ts";

/** How a request can prove who sent it, in the order of the checks, from the cheapest to the most expensive. */
export const METHODS = ["client", "query", "header", "bearer", "hmac", "basic"] as const;

export type Method = (typeof METHODS)[number];

const HOUR = 3_600_000;

/** Dates end in the year 275760 (ECMA-262, 21.4.1.1), which longer timeouts would exceed. */
const MAX_TIMEOUT = 36_500 * 24 * HOUR;

const User = TableSetting(
  {
    // What RFC 7617, section 2, allows: a colon ends the name.
    user: Type.String({
      pattern: "^[^:\\x00-\\x1f\\x7f]{1,255}$",
      expected: "a name without colons and control characters",
    }),
    hash: SecretSetting,
  },
  {
    user: "User name, without a colon.",
    hash: "Argon2id hash of the password, as `hooklatch hash` prints it.",
  },
);

const HeaderName = Type.String({
  pattern: HEADER_NAME,
  expected: 'the name of a header, such as "x-signature"',
});

/** RFC 6838, section 4.2. */
const MediaType = Type.String({
  pattern: "^[0-9a-z][0-9a-z!#$&^_.+-]{0,126}/[0-9a-z][0-9a-z!#$&^_.+-]{0,126}$",
  expected: 'a media type in lower case, such as "text/plain"',
});

const HeaderToken = TableSetting(
  { name: HeaderName, tokens: SecretList },
  { name: "Header that holds the token and nothing else.", tokens: "Tokens. Any of them is accepted." },
);

const QueryToken = TableSetting(
  {
    name: Type.String({
      pattern: "^[A-Za-z0-9._~-]{1,100}$",
      expected: 'the name of a parameter, such as "token"',
    }),
    tokens: SecretList,
  },
  {
    name: "Parameter of the URL that holds the token.",
    tokens: "Tokens. Any of them is accepted.",
  },
);

const Hmac = TableSetting(
  {
    header: HeaderName,
    signed: Type.Optional(
      Type.String({
        pattern: "^(?:[^{}]|\\{(?:timestamp|id|method|path)\\})*\\{body\\}$",
        expected: 'a text that ends with {body}, such as "{timestamp}.{body}"',
      }),
    ),
    timestamp_header: Type.Optional(HeaderName),
    tolerance: Type.Optional(DurationUpTo(HOUR)),
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
    secrets: SecretList,
  },
  {
    header: "Header with the signature and nothing else.",
    signed:
      'The text that is signed: `{timestamp}` and `{id}` stand for the headers of `timestamp_header` and `id_header`, `{method}` and `{path}` for those of the request, and `{body}` for the raw body, at the end. Default: `"{body}"`.',
    timestamp_header:
      "Header with the signed time in whole Unix seconds. Required where `signed` has `{timestamp}`.",
    tolerance: 'How far the signed time may be from now, in either direction. Default: `"5m"`.',
    algorithm: 'Hash function. Default: `"sha256"`.',
    encoding: 'Encoding of the signature. Default: `"hex"`.',
    prefix: "Text before the signature in the header. Default: none.",
    secrets: "Shared secrets. Any of them verifies.",
  },
);

/** The keys of a generic source. */
export const GenericOptions = TableSetting(
  {
    verify_token: Type.Optional(SecretSetting),
    client_timeout: Type.Optional(DurationUpTo(MAX_TIMEOUT)),
    client_prefix_v6: Type.Optional(
      Type.Integer({ minimum: 64, maximum: 128, expected: "a whole number of bits from 64 to 128" }),
    ),
    query: Type.Optional(QueryToken),
    header: Type.Optional(HeaderToken),
    bearer: Type.Optional(SecretList),
    basic: Type.Optional(Type.Array(User, { minItems: 1, expected: "a list of { user, hash }" })),
    hmac: Type.Optional(Hmac),
    id_header: Type.Optional(HeaderName),
    content_types: Type.Optional(
      Type.Array(MediaType, { minItems: 1, expected: "a list of media types, with at least one" }),
    ),
    require: Type.Optional(
      Type.Array(
        Type.Union(
          [
            Type.Literal("client"),
            Type.Literal("query"),
            Type.Literal("header"),
            Type.Literal("bearer"),
            Type.Literal("hmac"),
            Type.Literal("basic"),
          ],
          { expected: '"client", "query", "header", "bearer", "basic" or "hmac"' },
        ),
        { minItems: 1, uniqueItems: true, expected: "a list of at least one method, each once" },
      ),
    ),
  },
  {
    verify_token:
      "Token that admits the sender's address; see [Senders that can only show a token](senders.md#senders-that-can-only-show-a-token). Default: generated where an address must be admitted.",
    client_timeout:
      'How long an admitted address may POST. Default: `$CLIENT_AUTH_TIMEOUT` (in hours), else `"24h"`.',
    client_prefix_v6:
      "Leading bits of an IPv6 address that identify a client. `64` admits a whole subnet. Default: `128`.",
    query:
      "A token in the URL, for senders that can do nothing else. It is never stored or logged here, but proxies log URLs.",
    header: "A token in a header of its own, such as `X-Api-Key`.",
    bearer: "Tokens for `Authorization: Bearer`. Any of them is accepted.",
    basic: "Users for HTTP basic authentication.",
    hmac: "Signature over the raw body.",
    id_header:
      "Header with the sender's id of the delivery. Deliveries are then compared: the same id is a redelivery, and the same body under another id is a duplicate unless `signed` has `{id}`.",
    content_types:
      "Further media types of requests whose bodies are JSON, for senders that name another one. `application/json` and `application/*+json` are always accepted.",
    require:
      'Methods that must all hold: of `"client"` (the verify token), `"query"`, `"header"`, `"bearer"`, `"basic"` and `"hmac"`. Default: every method that is set, and `"client"` if `verify_token` or nothing is set.',
  },
);

/** The settings of a generic source. */
export type GenericSettings = StaticDecode<typeof GenericOptions>;

/**
 * The methods that a request must pass, all of them. By default each method that is set; the client check also where no
 * other method is set.
 */
export function requiredMethods(settings: GenericSettings): readonly Method[] {
  const { require, verify_token: token } = settings;
  if (require !== undefined) return METHODS.filter((method) => require.includes(method));
  const set = METHODS.filter((method) => method !== "client" && settings[method] !== undefined);
  return set.length === 0 || token !== undefined ? ["client", ...set] : set;
}

/** The format of the signatures of an `hmac` table, with the defaults. */
export function describeStyle({
  algorithm = "sha256",
  encoding = "hex",
  prefix = "",
}: NonNullable<GenericSettings["hmac"]>): SignatureStyle {
  return { algorithm, encoding, prefix };
}

/** `$CLIENT_AUTH_TIMEOUT` holds hours. */
export const OPTION_VARIABLES: readonly OptionVariable[] = [
  { name: "CLIENT_AUTH_TIMEOUT", option: "client_timeout", parse: parseHours },
];

function parseHours(text: string): { readonly kind: "value"; readonly value: number } | InvalidVariable {
  const value = /^\d{1,6}(?:\.\d{1,9})?$/.test(text) ? Math.round(Number(text) * HOUR) : 0;
  if (value >= 1 && value <= MAX_TIMEOUT) return { kind: "value", value };
  const expected = `expected a number of hours up to ${MAX_TIMEOUT / HOUR}, such as 24 or 0.5`;
  return { kind: "invalid", message: `${expected}, found ${JSON.stringify(text)}` };
}

/** The headers with the signature, the token or the password. */
export function credentialHeadersOf({ hmac, header }: GenericSettings): readonly string[] {
  return ["authorization", hmac?.header, header?.name].flatMap((name) => name?.toLowerCase() ?? []);
}
