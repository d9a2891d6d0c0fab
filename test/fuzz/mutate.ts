import type { Random } from "../support/random.ts";
import { chance, hex, pick } from "./corpus.ts";
import { ESCAPED, HOSTILE } from "./keys.ts";
import { type FuzzRequest, headerOf, withHeader } from "./request.ts";

type Mutation = (request: FuzzRequest, random: Random) => FuzzRequest;

const BYTES = [
  "\0",
  "\xff",
  "\xc0\xaf",
  "\xed\xa0\x80",
  "\xef\xbb\xbf",
  "\x1b[2J",
  "\r\n",
  "\n",
  "\x7f",
  " ",
];
const VALUES = [
  "null",
  "true",
  "[]",
  "{}",
  '""',
  "-1",
  "0.5",
  "1e999",
  `1${"0".repeat(400)}`,
  '"\\u0000"',
  '"\\ud800"',
  '"\\u202e"',
  '"refs/heads/main"',
  '"refs/heads/\\n"',
  `"${"0".repeat(40)}"`,
  '{"__proto__":{"ref":1}}',
  ...HOSTILE.map((text) => JSON.stringify(text)),
  `"${"a".repeat(40)}!"`,
  `"${"a".repeat(9000)}"`,
  `[${"[],".repeat(2000)}0]`,
];
const NAMES = [
  "__proto__",
  "constructor",
  "prototype",
  "toString",
  "ref",
  "after",
  "deleted",
  "repository",
  "full_name",
  "zen",
  "hook",
  "hook_id",
  "action",
  "head_commit",
  "message",
  "commits",
  "pusher",
  "changes",
  "",
];
const TARGETS = [
  "/",
  "/healthz",
  "/metrics",
  "/api/status",
  "/github-webhook",
  "/client",
  "/bearer",
  "/signed",
  "/gitea",
  "/bitbucket",
  "//github-webhook",
  "/x/../bearer",
  "/%62earer",
  "/bearer/",
  "*",
  "http://evil.example/bearer",
  "/client?verify_token=",
  "/client?verify_token=undefined",
  "/client?hub.mode=subscribe&hub.challenge=<script>",
];
const METHODS = ["GET", "HEAD", "PUT", "DELETE", "OPTIONS", "TRACE", "CONNECT", "PATCH", "post", "PRI", ""];
const TYPES = [
  "application/json",
  "application/x-www-form-urlencoded",
  "application/json; charset=utf-16",
  'application/json; charset="utf-8"',
  "text/plain",
  "multipart/form-data; boundary=x",
  "application/json, text/plain",
  "",
];
const LINES = [
  ["Content-Encoding", "gzip"],
  ["Transfer-Encoding", "chunked"],
  ["Transfer-Encoding", "xchunked"],
  ["Transfer-Encoding", "identity"],
  ["Content-Length", "0"],
  ["Content-Length", "5"],
  ["Content-Length", "-1"],
  ["Content-Length", "99999999999"],
  ["Expect", "100-continue"],
  ["Upgrade", "websocket"],
  ["Upgrade", "h2c"],
  ["Host", "evil.example"],
  ["Connection", "keep-alive"],
  ["X-Hub-Signature", "sha1=01dc10d0c83e72ed246219cdd91669667fe2ca59"],
  ["X-Forwarded-For", "unknown"],
  ["X-Forwarded-For", "::ffff:198.51.100.1"],
  ["Forwarded", "for=10.7.0.1"],
  ["X-GitHub-Event", "push"],
  ["Authorization", "Basic YTpi"],
  ["Cookie", "a=b"],
  ["X-Fuzz", `$(touch ${ESCAPED})`],
  ["X-Gitea-Event", "push"],
  ["X-Event-Key", "repo:push"],
  ["X-Long", "a".repeat(9000)],
] as const;

/** Changes to the body: its bytes, its JSON and its form fields. */
const BODY_MUTATIONS: readonly Mutation[] = [
  (request, random) =>
    editBody(request, random, (body, at) => body.with(at, (body[at] ?? 0) ^ (1 << random.below(8)))),
  (request, random) => editBody(request, random, (body, at) => splice(body, at, 0, pick(random, BYTES))),
  (request, random) => editBody(request, random, (body, at) => splice(body, at, 1 + random.below(20), "")),
  (request, random) => editBody(request, random, (body, at) => body.subarray(0, at)),
  (request, random) => editBody(request, random, (body, at) => Buffer.concat([body, body.subarray(at)])),
  (request, random) => editText(request, (text) => replaceValue(text, random)),
  (request, random) => editText(request, (text) => replaceValue(text, random)),
  (request, random) =>
    editText(request, (text) => text.replace(/\{/, `{"${pick(random, NAMES)}":${pick(random, VALUES)},`)),
  (request, random) =>
    editText(request, (text) => text.replace(/\}\s*$/, `,"${pick(random, NAMES)}":${pick(random, VALUES)}}`)),
  (request, random) =>
    editText(request, () =>
      pick(random, [
        "",
        "null",
        "[]",
        "payload=",
        "payload=null&payload=null",
        "payload=%",
        "[".repeat(100_000),
        `${"[".repeat(500)}${"]".repeat(500)}`,
      ]),
    ),
  (request, random) =>
    editText(request, (text) => `{"deep":${"[".repeat(150 + random.below(100))}`.concat(text)),
];

/** Changes to the request line and the headers. */
const HEAD_MUTATIONS: readonly Mutation[] = [
  (request, random) => ({ ...request, method: pick(random, METHODS) }),
  (request, random) => ({ ...request, target: pick(random, TARGETS) }),
  (request, random) => ({
    ...request,
    target: `${request.target}${pick(random, ["/", "?", "?a=%zz", "%00", "#", ";", "\\", "/..", "\0", " "])}`,
  }),
  (request, random) => ({
    ...request,
    version: pick(random, ["HTTP/1.0", "HTTP/1.2", "HTTP/2.0", "http/1.1", "HTTP/1.1 "]),
  }),
  (request, random) => ({
    ...request,
    headers: request.headers.toSpliced(random.below(request.headers.length), 1),
  }),
  (request, random) => ({ ...request, headers: [...request.headers, pick(random, request.headers)] }),
  (request, random) => ({ ...request, headers: [...request.headers, pick(random, LINES)] }),
  (request, random) => ({ ...request, headers: [pick(random, LINES), ...request.headers] }),
  (request, random) => ({
    ...request,
    headers: request.headers
      .toReversed()
      .map(([name, value]) => [chance(random, 50) ? name.toUpperCase() : name, value] as const),
  }),
  (request, random) => withHeader(request, "content-type", pick(random, TYPES)),
  (request, random) =>
    withHeader(
      request,
      "x-github-event",
      pick(random, ["push", "ping", "PUSH", "", "push,ping", "a".repeat(200), "issues"]),
    ),
  (request, random) =>
    withHeader(request, "x-github-delivery", pick(random, ["", "a b", "\xe9", "x".repeat(500)])),
  (request, random) => {
    const [name, value] = pick(random, request.headers);
    const at = random.below(value.length + 1);
    return {
      ...request,
      headers: request.headers.map((line) =>
        line[0] === name
          ? ([
              name,
              value.slice(0, at) +
                pick(random, [...BYTES, "\t", ",", "%", "a"]) +
                value.slice(at + random.below(2)),
            ] as const)
          : line,
      ),
    };
  },
];

/** Changes to the authentication headers, each of which makes them invalid. */
const AUTHENTICATION_MUTATIONS: readonly Mutation[] = [
  (request, random) => editAuthentication(request, (value) => flipDigit(value, random)),
  (request, random) => editAuthentication(request, (value) => value.slice(0, random.below(value.length))),
  (request) => editAuthentication(request, (value) => value.toUpperCase()),
  (request, random) =>
    editAuthentication(request, (value) => value + pick(random, ["0", "=", "x", ", ", "\xe9"])),
  (request, random) =>
    editAuthentication(request, (value) =>
      pick(random, [
        "",
        "sha256=",
        `sha256=${hex(random, 64)}`,
        `sha1=${hex(random, 40)}`,
        "undefined",
        "Bearer",
        "Bearer ",
        "Bearer undefined",
        value.replace(/^\w+[= ]/, ""),
      ]),
    ),
  (request) => ({ ...request, headers: request.headers.filter(([name]) => !isAuthentication(name)) }),
  (request) => ({
    ...request,
    headers: [...request.headers, ...request.headers.filter(([name]) => isAuthentication(name))],
  }),
];

export const mutateBody: Mutation = (request, random) => pick(random, BODY_MUTATIONS)(request, random);
export const mutateHead: Mutation = (request, random) => pick(random, HEAD_MUTATIONS)(request, random);
export const mutateAuthentication: Mutation = (request, random) =>
  pick(random, AUTHENTICATION_MUTATIONS)(request, random);

/** Changes bytes of the whole request, more often in the first 600, where the head is. */
export function mutateWire(wire: Buffer, random: Random): Buffer {
  let changed = wire;
  for (let count = 1 + random.below(3); count > 0; count -= 1) {
    const at = random.below(chance(random, 70) ? Math.min(changed.length, 600) : changed.length);
    const byte = String.fromCharCode(random.below(256));
    changed = pick(random, [
      () => splice(changed, at, 1, byte),
      () =>
        splice(
          changed,
          at,
          0,
          chance(random, 50) ? byte : pick(random, ["\r\n", "\n", "\0", ":", " ", "0\r\n\r\n"]),
        ),
      () => splice(changed, at, 1 + random.below(8), ""),
      () => changed.subarray(0, at),
    ])();
  }
  return changed;
}

function editBody(
  request: FuzzRequest,
  random: Random,
  edit: (body: Buffer, at: number) => Uint8Array,
): FuzzRequest {
  const { body } = request;
  return body.length === 0
    ? request
    : { ...request, body: Buffer.from(edit(body, random.below(body.length))) };
}

/** Edits the JSON of the body, which may be inside a form. */
function editText(request: FuzzRequest, edit: (text: string) => string): FuzzRequest {
  const text = request.body.toString("latin1");
  const isForm =
    headerOf(request, "content-type")?.startsWith("application/x-www") && text.startsWith("payload=");
  if (!isForm) return { ...request, body: Buffer.from(edit(text), "latin1") };
  try {
    const json = edit(decodeURIComponent(text.slice("payload=".length)));
    return { ...request, body: Buffer.from(`payload=${encodeURIComponent(json)}`) };
  } catch {
    // An earlier mutation broke the percent-encoding.
    return { ...request, body: Buffer.from(edit(text), "latin1") };
  }
}

/** Replaces the value of a random key. */
function replaceValue(text: string, random: Random): string {
  const keys = [...text.matchAll(/"\w+":(?:"[^"\\]*"|-?\d+|true|false|null)/g)];
  if (keys.length === 0) return text;
  const { 0: pair, index } = pick(random, keys);
  return `${text.slice(0, index)}${pair.slice(0, pair.indexOf(":") + 1)}${pick(random, VALUES)}${text.slice(index + pair.length)}`;
}

function editAuthentication(request: FuzzRequest, edit: (value: string) => string): FuzzRequest {
  return {
    ...request,
    headers: request.headers.map(
      ([name, value]) => [name, isAuthentication(name) ? edit(value) : value] as const,
    ),
  };
}

const isAuthentication = (name: string) =>
  ["x-hub-signature-256", "x-hub-signature", "x-gitea-signature", "x-signature", "authorization"].includes(
    name.toLowerCase(),
  );

function flipDigit(value: string, random: Random): string {
  const at = value.indexOf("=") + 1 + random.below(Math.max(1, value.length - value.indexOf("=") - 1));
  return `${value.slice(0, at)}${value[at] === "0" ? "1" : "0"}${value.slice(at + 1)}`;
}

function splice(bytes: Buffer, at: number, removed: number, added: string): Buffer {
  return Buffer.concat([bytes.subarray(0, at), Buffer.from(added, "latin1"), bytes.subarray(at + removed)]);
}
