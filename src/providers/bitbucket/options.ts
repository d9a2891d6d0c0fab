import { type StaticDecode, Type } from "@sinclair/typebox";
import { TableSetting } from "../../lib/schema.ts";
import { ForgeUrl, SECRETS, SecretList } from "../forge.ts";

/** The keys of a source. */
export const BitbucketOptions = TableSetting(
  { secrets: Type.Optional(SecretList), base_url: Type.Optional(ForgeUrl) },
  {
    secrets: SECRETS,
    base_url:
      'Address of a Bitbucket Data Center, such as `"https://bitbucket.example.com"`, for `clone_url`. Default: Bitbucket Cloud.',
  },
);

/** The settings of a Bitbucket source. */
export type BitbucketSettings = StaticDecode<typeof BitbucketOptions>;
