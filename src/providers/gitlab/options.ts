import { type StaticDecode, Type } from "@sinclair/typebox";
import { TableSetting } from "../../lib/schema.ts";
import { ForgeUrl, SECRETS, SecretList } from "../forge.ts";

/** The keys of a source. */
export const GitlabOptions = TableSetting(
  {
    secrets: Type.Optional(SecretList),
    signing_secrets: Type.Optional(SecretList),
    base_url: Type.Optional(ForgeUrl),
  },
  {
    secrets: `${SECRETS.replace("Secrets of the webhook", "GitLab's *Secret token*, which each request shows")} It is generated only without \`signing_secrets\`.`,
    signing_secrets:
      "GitLab's *Signing token* (GitLab 19 and later), `whsec_` and base64. Where it is set, every request must be signed with it.",
    base_url: 'Address of the GitLab, for `clone_url`. Default: `"https://gitlab.com"`.',
  },
);

/** The settings of a GitLab source. */
export type GitlabSettings = StaticDecode<typeof GitlabOptions>;
