import { Type } from "@sinclair/typebox";
import type { MailAddress } from "../domain/notification.ts";
import { CheckedString, Defaulted, SecretSetting, TableSetting } from "../lib/schema.ts";
import { isHost } from "./read/network.ts";
import { Name } from "./schema.ts";

/** An e-mail address in the form of HTML's `input type=email`, which leaves out quotes and comments. */
const ADDRESS = /^[\w.!#$%&'*+/=?^`{|}~-]{1,64}@[A-Za-z0-9](?:[A-Za-z0-9.-]{0,252}[A-Za-z0-9])?$/;

/** Reads `Name <address>` or an address; null for other text. */
export function parseMailAddress(text: string): MailAddress | null {
  const [, name = "", address = text] = /^([^<>"\p{Cc}\p{Zl}\p{Zp}]{0,200}?) ?<([^<>]*)>$/u.exec(text) ?? [];
  return ADDRESS.test(address) ? { name, address } : null;
}

const Address = CheckedString("mail-address", (text) => parseMailAddress(text) !== null, {
  expected: 'an address such as "ops@example.com" or "Ops <ops@example.com>"',
});

/** The keys of a `[[notify]]` with `format = "smtp"`, which no other format has. */
export const MAIL_KEYS = ["host", "port", "tls", "user", "password", "from", "to"] as const;

/** One `[[notify]]`. */
export const NotifyTable = TableSetting(
  {
    name: Type.Optional(Name),
    url: Type.Optional({
      ...SecretSetting,
      expected: 'an https URL, or a reference to one: "env:NAME", "file:PATH" or "credential:NAME"',
    }),
    format: Defaulted(
      Type.Union(
        [Type.Literal("standard"), Type.Literal("slack"), Type.Literal("discord"), Type.Literal("smtp")],
        { expected: '"standard", "slack", "discord" or "smtp"' },
      ),
      "standard",
    ),
    secret: Type.Optional(SecretSetting),
    host: Type.Optional(
      CheckedString("mail-host", isHost, {
        expected: 'the name or address of a mail server, such as "mail.example.com", without a port',
      }),
    ),
    port: Type.Optional(
      Type.Integer({ minimum: 1, maximum: 65_535, expected: "a port number from 1 to 65535" }),
    ),
    tls: Type.Optional(
      Type.Union([Type.Literal("starttls"), Type.Literal("implicit"), Type.Literal("none")], {
        expected: '"starttls", "implicit" or "none"',
      }),
    ),
    user: Type.Optional(
      Type.String({ pattern: "^[^\\x00-\\x1f\\x7f]{1,255}$", expected: "a name without control characters" }),
    ),
    password: Type.Optional(SecretSetting),
    from: Type.Optional(Address),
    to: Type.Optional(
      Type.Array(Address, {
        minItems: 1,
        maxItems: 50,
        uniqueItems: true,
        expected: "a list of 1 to 50 addresses, each once",
      }),
    ),
    on: Defaulted(
      Type.Array(
        Type.Union([Type.Literal("failed"), Type.Literal("recovered"), Type.Literal("succeeded")], {
          expected: '"failed", "recovered" or "succeeded"',
        }),
        {
          minItems: 1,
          uniqueItems: true,
          expected: 'a list of one or more of "failed", "recovered" and "succeeded", each once',
        },
      ),
      ["failed", "recovered"],
    ),
    targets: Type.Optional(
      Type.Array(Type.String({ expected: "the name of a target" }), {
        minItems: 1,
        uniqueItems: true,
        expected: "a list of the names of targets, at least one, each once",
      }),
    ),
  },
  {
    name: "Name in logs, and what identifies the notification after a restart. Default: `notify 1`, `notify 2`, … by position.",
    url: 'Where to POST. The URL of a chat room is a secret: knowing it is enough to write there. Required, except with `format = "smtp"`.',
    format:
      '`"standard"` is a signed POST ([Standard Webhooks](https://www.standardwebhooks.com)), `"slack"` one line of text for Slack or Mattermost, `"discord"` one for Discord, `"smtp"` an e-mail.',
    secret:
      'Signing key, `whsec_` and base64. Required with `format = "standard"`. `echo "whsec_$(openssl rand -base64 32)"` prints a new one.',
    host: 'Mail server. Required with `format = "smtp"`.',
    port: "Port of the mail server. Default: 587 with `starttls`, 465 with `implicit`, 25 with `none`.",
    tls: 'Encryption: `"starttls"` upgrades the connection before anything is sent, `"implicit"` starts with TLS. The certificate must be valid. `"none"` is for a mail server on this machine only, and is the default there. Default: `"starttls"`.',
    user: "User name at the mail server. Default: no login.",
    password: "Password of the user.",
    from: 'Sender of the e-mail. Required with `format = "smtp"`.',
    to: 'Recipients of the e-mail. Required with `format = "smtp"`.',
    on: "Results that are reported. `recovered` is a success after a failure.",
    targets: "Names of the targets whose results are reported. Default: all targets.",
  },
);
