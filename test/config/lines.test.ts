import { expect, test } from "bun:test";
import { describeIssue } from "../../src/config/load.ts";
import { locateIssues } from "../../src/config/read/lines.ts";
import { parseDocument } from "../../src/config/read/toml.ts";
import { makeHome } from "./home.ts";

const home = makeHome();

const DOCUMENT = `# A comment with a [[target]] in it
data_dir = "/var/lib/hooklatch"
server.port = 9000
server.tls = { cert = "a.pem", key = "b.pem" }

[admin]
"host" = "127.0.0.1"
'hosts' = [
  "one", # the first
  "two",
]

[[source]]
name = "github"

[[target]]
name = "blog"
run = [
  """
  echo [[target]]
  """,
  ["cp", "-r",
    "a", "b"],
]
[target.env]
NODE_ENV = "production"
"odd.key" = '''
port = 1
'''
[target.health]
url = "http://127.0.0.1/"

[[target]]
name = "shop"
[[notify]]
url = "x"
`;

/** Returns the line and owner of a path as `line owner`. */
function locate(path: string, text = DOCUMENT): string {
  const document = parseDocument(text, "/hooklatch.toml", "hooklatch.toml");
  if (document.kind === "invalid") throw new Error(document.fault.message);
  const [issue] = locateIssues([{ file: "hooklatch.toml", path, message: "is wrong" }], document);
  return [issue?.line, issue?.owner].filter((part) => part != null).join(" ");
}

test.each([
  ["data_dir", "2"],
  ["server", "3"],
  ["server.port", "3"],
  ["server.tls.key", "4"],
  ["admin", "6"],
  ["admin.host", "7"],
  ["admin.hosts[1]", "10"],
  ["source[0].name", '14 source "github"'],
  ["target[0]", '16 target "blog"'],
  ["target[0].run[0]", '19 target "blog"'],
  ["target[0].run[1]", '22 target "blog"'],
  ["target[0].run[1][3]", '23 target "blog"'],
  ["target[0].env", '25 target "blog"'],
  ["target[0].env.NODE_ENV", '26 target "blog"'],
  ['target[0].env."odd.key"', '27 target "blog"'],
  ["target[0].health.url", '31 target "blog"'],
  ["target[1].name", '34 target "shop"'],
  ["notify[0].url", "36"],
])("%s is on line %s", (path, expected) => {
  expect(locate(path)).toBe(expected);
});

test.each([
  ["target[1].branch", '33 target "shop"'],
  ['target[0].env."not.written"', '25 target "blog"'],
  ["server.acme.email", "3"],
  ["store", ""],
  ["", ""],
])("%s, which is not written, has the line of its table: %s", (path, expected) => {
  expect(locate(path)).toBe(expected);
});

test("a name that is not valid does not become part of a message", () => {
  expect(locate("target[0].run", '[[target]]\nname = "a\\u001b[2Jb"\nrun = 1')).toBe("3");
});

test("an issue of the environment has neither", () => {
  const document = parseDocument(DOCUMENT, "/hooklatch.toml", "hooklatch.toml");
  if (document.kind === "invalid") throw new Error(document.fault.message);
  const issue = { file: "environment", path: "$PORT", message: "is wrong" };
  expect(locateIssues([issue], document)).toEqual([issue]);
});

test("faults of values, of several values together and of missing keys name line and target", () => {
  const file = home.write(
    "hooklatch.toml",
    `[[target]]
name = "blog"
repository = "octocat/blog"
branch = "main"
directory = "/srv/blog"
timeout = "soon"

[[target]]
name = "shop"
repository = "octocat/shop"
directory = "/srv/blog/shop"
brunch = "main"
`,
  );
  const loaded = home.load({ file });
  if (loaded.kind === "loaded") throw new Error("the configuration has no fault");
  expect(loaded.faults.map(({ line, owner, path }) => ({ line, owner, path }))).toEqual([
    { line: 6, owner: 'target "blog"', path: "target[0].timeout" },
    { line: 12, owner: 'target "shop"', path: "target[1].brunch" },
    { line: 8, owner: 'target "shop"', path: "target[1]" },
    { line: 11, owner: 'target "shop"', path: "target[1].directory" },
  ]);
  expect(loaded.faults.map(describeIssue)[0]).toStartWith(`${file}:6: target "blog": target[0].timeout: `);
});
