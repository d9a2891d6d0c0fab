import type { Workshop } from "./executable.ts";
import type { Repository } from "./git.ts";

/** The secret of the source that `writeConfiguration` writes. The server reads it from `$SECRET`. */
export const SECRET = "a secret of the tests, long enough";

/** The parts of the configuration that differ between tests. */
export interface ConfigurationParts {
  /** `[[target]]` tables. */
  readonly targets?: string;
  readonly dataDir?: string;
  /** Further keys of `[server]`. */
  readonly server?: string;
  /** 0 picks a free port. */
  readonly adminPort?: number;
}

/** Writes `hooklatch.toml` with free ports, a github source at `/github-webhook` and the targets. Returns its path. */
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

/** A `[[target]]` table that deploys the main branch of the repository to a directory, with further keys. */
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
