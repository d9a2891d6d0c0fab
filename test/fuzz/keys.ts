import { createHmac } from "node:crypto";

/** The secrets of the server under test, by environment variable. */
export const KEYS = {
  OLD_SECRET: "an older secret of the fuzz run",
  SECRET: "the newest secret of the fuzz run",
  TOKEN: "the verify token of the fuzz run",
  BEARER: "the-bearer-token-of-the-fuzz-run",
  SIGNING_KEY: "the signing key of the fuzz run",
} as const;

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
`;

/** Every valid signature of a body, as a header value. */
export const SIGNATURES = {
  github: (body: Uint8Array) =>
    [KEYS.OLD_SECRET, KEYS.SECRET].map(
      (secret) => `sha256=${createHmac("sha256", secret).update(body).digest("hex")}`,
    ),
  signed: (body: Uint8Array) => [createHmac("sha512", KEYS.SIGNING_KEY).update(body).digest("base64")],
};

/** Whether an address sends valid tokens. The server must never authorise another one. */
export const isMember = (address: string) => address.startsWith("10.7.");
