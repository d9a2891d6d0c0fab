import { Type } from "@sinclair/typebox";
import { Defaulted, SecretSetting, TableSetting } from "../lib/schema.ts";
import { Path, Switch, TrustedUrl } from "./schema.ts";

/** Completes "expected …" for a domain. */
export const EXPECTED_DOMAIN = 'a DNS name such as "hooks.example.com"';

/** `[server.acme]`. */
export const AcmeTable = TableSetting(
  {
    domains: Type.Array(Type.String({ expected: EXPECTED_DOMAIN }), {
      minItems: 1,
      expected: `a list of DNS names such as "hooks.example.com", with at least one`,
    }),
    terms_agreed: Type.Optional(Switch),
    email: Type.Optional(
      Type.String({
        // It becomes part of a mailto URL, where other characters would need encoding (RFC 6068, section 2).
        pattern: "^[A-Za-z0-9.!$'*+/_{|}~-]+@[A-Za-z0-9.-]+$",
        expected: 'an e-mail address such as "you@example.com"',
      }),
    ),
    directory: Defaulted(
      TrustedUrl("https://acme-v02.api.letsencrypt.org/directory"),
      "https://acme-v02.api.letsencrypt.org/directory",
    ),
    http_port: Defaulted(
      Type.Integer({ minimum: 1, maximum: 65_535, expected: "a port number from 1 to 65535" }),
      80,
    ),
    ca: Type.Optional(Path),
    eab: Type.Optional(
      TableSetting(
        {
          key_id: Type.String({ minLength: 1, expected: "the key id from the site of the CA" }),
          hmac_key: SecretSetting,
        },
        {
          key_id: "Key id from the site of the CA.",
          hmac_key: "Key from the site of the CA, in base64url.",
        },
      ),
    ),
  },
  {
    domains: "Names in the certificate. Wildcards are not possible.",
    terms_agreed: "Must be `true`: you have read and agree to the terms of the CA. Required.",
    email: "Address to which the CA may write.",
    directory: "ACME directory of the CA.",
    http_port: "Port on which the CA's challenges are answered. Port 80 of the domain must lead to it.",
    ca: "PEM file with the root certificate of a private CA, instead of the public roots.",
    eab: "Account at a CA that requires one from its site (external account binding, RFC 8555, section 7.3.4).",
  },
);
