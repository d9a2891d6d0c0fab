import { Type } from "@sinclair/typebox";
import { Defaulted, SecretSetting, TableSetting } from "../lib/schema.ts";
import { Name } from "./schema.ts";

/** One `[[notify]]`. */
export const NotifyTable = TableSetting(
  {
    name: Type.Optional(Name),
    url: {
      ...SecretSetting,
      expected: 'an https URL, or a reference to one: "env:NAME", "file:PATH" or "credential:NAME"',
    },
    format: Defaulted(
      Type.Union([Type.Literal("standard"), Type.Literal("slack"), Type.Literal("discord")], {
        expected: '"standard", "slack" or "discord"',
      }),
      "standard",
    ),
    secret: Type.Optional(SecretSetting),
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
    url: "Where to POST. The URL of a chat room is a secret: knowing it is enough to write there.",
    format:
      '`"standard"` is a signed POST ([Standard Webhooks](https://www.standardwebhooks.com)), `"slack"` one line of text for Slack or Mattermost, `"discord"` one for Discord.',
    secret:
      'Signing key, `whsec_` and base64. Required with `format = "standard"`. `echo "whsec_$(openssl rand -base64 32)"` prints a new one.',
    on: "Results that are reported. `recovered` is a success after a failure.",
    targets: "Names of the targets whose results are reported. Default: all targets.",
  },
);
