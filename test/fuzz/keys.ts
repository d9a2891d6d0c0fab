import { createHmac } from "node:crypto";

/** The secrets of the server under test, by environment variable. */
export const KEYS = {
  OLD_SECRET: "an older secret of the fuzz run",
  SECRET: "the newest secret of the fuzz run",
  TOKEN: "the verify token of the fuzz run",
  BEARER: "the-bearer-token-of-the-fuzz-run",
  SIGNING_KEY: "the signing key of the fuzz run",
} as const;

/** The sources with a target without repository, whose commands run in a directory of this name. */
export const JOBS = ["signed", "gitea", "bitbucket"] as const;

/** The name of the file that hostile values try to make. */
export const ESCAPED = "escaped-from-a-value";

/** Texts that would make that file where a shell reads them. */
export const HOSTILE = [
  `$(touch ${ESCAPED})`,
  `\`touch ${ESCAPED}\``,
  `'; touch ${ESCAPED} #`,
  `"; touch ${ESCAPED} #`,
  `\n touch ${ESCAPED}\n`,
  `../../${ESCAPED}`,
] as const;

/** Uses free ports, has a source for each authentication method, and trusts X-Forwarded-For. */
export const CONFIGURATION = `data_dir = "data"
[server]
host = "127.0.0.1"
port = 0
max_body = "128KiB"
trusted_proxies = ["127.0.0.1"]
[admin]
port = 0
[[source]]
name = "github"
provider = "github"
path = "/github-webhook"
secrets = ["env:OLD_SECRET", "env:SECRET"]
[[source]]
name = "client"
provider = "generic"
path = "/client"
verify_token = "env:TOKEN"
print = false
[[source]]
name = "bearer"
provider = "generic"
path = "/bearer"
bearer = ["env:BEARER"]
print = true
[[source]]
name = "signed"
provider = "generic"
path = "/signed"
hmac = { header = "x-signature", algorithm = "sha512", encoding = "base64", secrets = ["env:SIGNING_KEY"] }
print = false
[[target]]
name = "blog"
source = "github"
repository = "octocat/blog"
branch = "main"
clone_url = "nowhere.git"
directory = "blog"
catch_up = false
[[target]]
name = "ruled"
source = "github"
repository = "octocat/blog"
tag = "*"
clone_url = "nowhere.git"
directory = "ruled"
events = ["push", "release", "issues.opened", "workflow_run"]
when = '''
event != "push" || (has(payload.pusher) && payload.pusher.name.matches("^([a-z]+)+$")
  && payload.commits.all(c, !c.message.contains("[skip]") && size(c.modified) < 1000)
  && payload.commits.exists(c, c.message.matches("(a|aa)*$")) && headers["x-fuzz"] != "no")
'''
payload_env = { MESSAGE = "payload.head_commit.message", TAG = "payload.ref.substring(10)" }
[[source]]
name = "gitea"
provider = "gitea"
path = "/gitea"
secrets = ["env:SECRET"]
keep_headers = ["x-fuzz", "accept"]
print = false
[[source]]
name = "bitbucket"
provider = "bitbucket"
path = "/bitbucket"
secrets = ["env:SECRET"]
print = false
${JOBS.map(describeJob).join("")}`;

/**
 * A target without repository, whose command gets values of the payload. The command fails, with a file that the run
 * looks for, where a value has become more than a value.
 */
function describeJob(source: string): string {
  return `[[target]]
name = "job-${source}"
source = "${source}"
directory = "job-${source}"
queue = "latest"
when = '!has(payload.ref) || payload.ref != "never" || size(payload.repository.full_name) > 3'
payload_env = { REF = "payload.ref", MESSAGE = "payload.head_commit.message", AUTHOR = "payload.actor.display_name", HEADER = 'headers["x-fuzz"]' }
run = [["printf", "%s", "$REF"], 'printf "%s" "$REF$MESSAGE$AUTHOR$HEADER" > value; test ! -e ${ESCAPED} || cp ${ESCAPED} ../']
`;
}

/** Every valid signature of a body, as a header value. */
export const SIGNATURES = {
  github: (body: Uint8Array) =>
    [KEYS.OLD_SECRET, KEYS.SECRET].map(
      (secret) => `sha256=${createHmac("sha256", secret).update(body).digest("hex")}`,
    ),
  gitea: (body: Uint8Array) => [createHmac("sha256", KEYS.SECRET).update(body).digest("hex")],
  bitbucket: (body: Uint8Array) => [`sha256=${createHmac("sha256", KEYS.SECRET).update(body).digest("hex")}`],
  signed: (body: Uint8Array) => [createHmac("sha512", KEYS.SIGNING_KEY).update(body).digest("base64")],
};

/** Whether an address sends valid tokens. The server must never authorise another one. */
export const isMember = (address: string) => address.startsWith("10.7.");
