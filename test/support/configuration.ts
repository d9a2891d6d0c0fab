import type { Workshop } from "./executable.ts";
import type { Repository } from "./git.ts";

/** The secret of the source that `writeConfiguration` writes; the server finds it in `$SECRET`. */
export const SECRET = "a secret of the tests, long enough";

/** What differs from test to test. */
export interface ConfigurationParts {
  /** `[[target]]` tables. */
  readonly targets?: string;
  readonly dataDir?: string;
  /** More keys of `[server]`. */
  readonly server?: string;
  /** 0 picks a free one. */
  readonly adminPort?: number;
}

/** Writes `hooklatch.toml`: free ports, one github source at `/github-webhook`, and the targets. Gives its path. */
export function writeConfiguration(
  workshop: Workshop,
  { targets = "", dataDir = "data", server = "", adminPort = 0 }: ConfigurationParts = {},
): string {
  return workshop.write(
    "hooklatch.toml",
    `data_dir = ${JSON.stringify(dataDir)}
[server]
port = 0
${server}
[admin]
port = ${adminPort}
[[source]]
name = "github"
provider = "github"
path = "/github-webhook"
secrets = ["env:SECRET"]
${targets}
`,
  );
}

/** A `[[target]]` that deploys the repository's main branch to a directory, with more keys as written. */
export function describeTarget(
  name: string,
  directory: string,
  { path }: Pick<Repository, "path">,
  keys = "",
): string {
  return `[[target]]
name = "${name}"
repository = "octocat/${name}"
branch = "main"
clone_url = ${JSON.stringify(path)}
directory = "${directory}"
${keys}
`;
}
