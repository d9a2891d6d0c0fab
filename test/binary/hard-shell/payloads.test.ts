import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { pushBody } from "../../support/payloads.ts";
import { chunked, PING, type RawRequest, Shell, TOKEN, writeRequest } from "./shell.ts";

setDefaultTimeout(120_000);

/** The server logs the ref of each push that does not match this target. */
const TARGET = `[[target]]
name = "blog"
source = "github"
repository = "octocat/blog"
branch = "never-pushed"
directory = "blog"
catch_up = false
`;

let shell: Shell;

beforeAll(async () => {
  shell = await Shell.open(TARGET);
  const target = `/webhook?verify_token=${encodeURIComponent(TOKEN)}`;
  expect(
    await shell.codes(writeRequest({ method: "GET", target, lines: ["Content-Length"], body: "" })),
  ).toEqual([200]);
});

afterAll(() => shell.close());

const DEEP = 100_000;
const FORM = "Content-Type: application/x-www-form-urlencoded";
const PUSH = "X-GitHub-Event: push";

/** Encodes text as UTF-8, one character for each byte. */
const utf8 = (text: string) => Buffer.from(text).toString("latin1");
const push = (changes: Record<string, unknown>): RawRequest => ({
  lines: [PUSH],
  body: utf8(pushBody(changes)),
});
const form = (body: string): RawRequest => ({ lines: [FORM], body });

type Case = readonly [name: string, request: RawRequest];

/** Each body has a valid signature; only its content or its type is wrong. */
function rejects(code: number, cases: readonly Case[]) {
  test.each([...cases])(`%s gets ${code} and is not stored`, async (_case, request) => {
    await shell.storesNothing(async () => {
      const answers = await shell.exchange(writeRequest(request));
      expect(answers.map(({ status }) => status)).toEqual([code]);
      expect(JSON.parse(answers[0]?.body ?? "").status).toBe(
        code === 415 ? "unsupported media type" : "invalid payload",
      );
    });
  });
}

function accepts(cases: readonly Case[]) {
  test.each([...cases])("%s is stored", async (_case, request) => {
    await shell.storesOne(async () => expect(await shell.codes(writeRequest(request))).toEqual([200]));
  });
}

describe("a signed body that is not JSON", () => {
  rejects(400, [
    ["an empty body", { body: "" }],
    ["an empty chunked body", { lines: ["Transfer-Encoding: chunked"], body: "", framed: "0\r\n\r\n" }],
    ["white space", { body: " \r\n\t" }],
    ["a byte order mark", { body: `\xef\xbb\xbf${PING}` }],
    ["UTF-16", { body: Buffer.from(PING, "utf16le").toString("latin1") }],
    ["a byte that is not UTF-8", { body: '{"zen":"\xff"}' }],
    ["an incomplete character", { body: '{"zen":"\xe2\x99"}' }],
    ["an overlong slash", { body: '{"zen":"\xc0\xaf"}' }],
    ["an overlong NUL", { body: '{"zen":"\xc0\x80"}' }],
    ["a surrogate in UTF-8", { body: '{"zen":"\xed\xa0\x80"}' }],
    ["a code point above 10FFFF", { body: '{"zen":"\xf4\x90\x80\x80"}' }],
    ["NUL in a string", { body: '{"zen":"\0"}' }],
    ["NUL after the end", { body: `${PING}\0` }],
    ["a newline in a string", { body: '{"zen":"\n"}' }],
    ["a second value", { body: `${PING}${PING}` }],
    ["a comment", { body: `${PING}//` }],
    ["a trailing comma", { body: '{"zen":"x",}' }],
    ["NaN", { body: '{"hook_id":NaN}' }],
    ["a hexadecimal number", { body: '{"hook_id":0x10}' }],
    ["a number with a leading zero", { body: '{"hook_id":010}' }],
    ["unclosed lists", { body: "[".repeat(DEEP) }],
    ["unclosed objects", { body: '{"a":'.repeat(DEEP) }],
    ["100,000 nested lists", { body: "[".repeat(DEEP) + "]".repeat(DEEP) }],
    ["100,000 nested objects", { body: `${'{"a":'.repeat(DEEP)}1${"}".repeat(DEEP)}` }],
    [
      "100,000 nested lists in a field",
      { body: `{"zen":"x","deep":${"[".repeat(DEEP)}${"]".repeat(DEEP)}}` },
    ],
    ["201 levels", { body: "[".repeat(201) + "]".repeat(201) }],
  ]);
});

describe("a signed body that does not match its event", () => {
  rejects(422, [
    ["null", { body: "null" }],
    ["true", { body: "true" }],
    ["a number", { body: "-0" }],
    ["a string", { body: '"ping"' }],
    ["a list", { body: "[]" }],
    ["an empty object", { body: "{}" }],
    ["a commit status as a ping", { body: '{"state":"success","sha":"6113728f27ae"}' }],
    ["a list with 200 levels", { body: "[".repeat(200) + "]".repeat(200) }],
    ["a push only in __proto__", { lines: [PUSH], body: `{"__proto__":${utf8(pushBody())}}` }],
    [
      "a constructor instead of a push",
      { lines: [PUSH], body: '{"constructor":{"prototype":{"ref":"refs/heads/main"}}}' },
    ],
    ["1e999 as an id", { body: '{"zen":"x","hook_id":1e999}' }],
    ["400 digits as an id", { body: `{"zen":"x","hook_id":1${"0".repeat(400)}}` }],
    ["a fraction as an id", { body: '{"zen":"x","hook_id":0.5}' }],
    ["a duplicate key whose second value is wrong", { body: '{"zen":"x","zen":1}' }],
  ]);

  rejects(
    422,
    [
      "main",
      "refs/",
      "",
      "refs/heads/a\nb",
      "refs/heads/a\r\nX: y",
      "refs/heads/\u001b[31m",
      "refs/heads/\u007f",
      "refs/heads/\ud800",
      " refs/heads/main",
      `refs/heads/${"a".repeat(4096)}`,
    ].map((ref) => [`the ref ${JSON.stringify(ref).slice(0, 40)}`, push({ ref })] as const),
  );

  test("the response names the faulty fields and never their values", async () => {
    const mark = "x-marks-the-spot";
    const [answer] = await shell.exchange(
      writeRequest(push({ ref: mark, after: mark, [mark]: 1, commits: [{ id: 1, [mark]: mark }] })),
    );
    expect(answer?.status).toBe(422);
    const { status, reason } = JSON.parse(answer?.body ?? "");
    expect(status).toBe("invalid payload");
    expect(reason).toContain("/ref");
    expect(reason).toMatchSnapshot();
    expect(answer?.body).not.toContain(mark);
  });
});

describe("an unusual but valid signed body", () => {
  const other = (body: string): RawRequest => ({ lines: ["X-GitHub-Event: issues"], body });

  accepts([
    ["__proto__ with keys", other('{"__proto__":{"isAdmin":true,"toString":1}}')],
    ["constructor and prototype", other('{"constructor":{"prototype":{"isAdmin":true}},"prototype":{}}')],
    [
      "keys that every object inherits",
      other('{"toString":1,"hasOwnProperty":2,"valueOf":3,"toJSON":4,"length":-1}'),
    ],
    [
      "a push with __proto__ in it",
      { lines: [PUSH], body: utf8(pushBody()).replace("{", '{"__proto__":{"ref":1},') },
    ],
    ["1e999 in an unchecked field", other('{"number":1e999,"other":-1e999}')],
    ["400 digits in an unchecked field", other(`{"number":1${"0".repeat(400)}}`)],
    ["a small number with 400 digits", other(`{"number":0.${"0".repeat(400)}1}`)],
    ["a duplicate key whose last value is valid", { body: '{"zen":1,"zen":"the last one counts"}' }],
    [
      "10,000 keys",
      other(`{${Array.from({ length: 10_000 }, (_, index) => `"k${index}":${index}`).join(",")}}`),
    ],
    ["an empty key", other('{"":""}')],
    ["lone surrogates as escapes", { body: '{"zen":"\\ud800 \\udfff"}' }],
    ["NUL as an escape", { body: '{"zen":"\\u0000"}' }],
    ["every control character as an escape", { body: '{"zen":"\\u001b[2J\\u0007\\u202e\\u2028\\ufeff"}' }],
    ["200 levels", other(`${'{"a":'.repeat(200)}1${"}".repeat(200)}`)],
    ["a string of 1 MiB", { body: `{"zen":"${"x".repeat(1024 * 1024)}"}` }],
    [
      "a string of 1 MiB in a chunked body",
      {
        lines: ["Transfer-Encoding: chunked"],
        body: `{"zen":"${"y".repeat(1024 * 1024)}"}`,
        framed: chunked(`{"zen":"${"y".repeat(1024 * 1024)}"}`),
      },
    ],
    ...[
      "refs/heads/$(reboot)",
      "refs/heads/--upload-pack=x",
      "refs/heads/;id",
      "refs/heads/`id`",
      "refs/heads/../../etc",
      "refs/heads/\u202emain",
      "refs/heads/main\u2028",
      "refs/heads/refs/heads/main",
      "refs/heads/%00",
      // Replaced by U+FFFD, as in all text from outside.
      "refs/heads/\0",
      `refs/heads/${"a".repeat(4000)}`,
    ].map(
      (ref, index) =>
        [
          `the ref ${JSON.stringify(ref).slice(0, 40)}`,
          push({ ref, after: String(index).padStart(40, "a") }),
        ] as const,
    ),
  ]);

  test("does not affect later requests", async () => {
    expect(await shell.codes(writeRequest(other('{"__proto__":{"zen":"x"}}')))).toEqual([200]);
    await shell.storesNothing(async () => {
      expect(await shell.codes(writeRequest({ lines: [PUSH], body: "{}" }))).toEqual([422]);
      const [answer] = await shell.exchange(writeRequest({ method: "GET", target: "/healthz" }));
      expect(answer?.body).toBe('{"status":"ok"}');
    });
  });

  test("adds no control or formatting character to the log", async () => {
    await shell.exchange(writeRequest(push({ ref: "refs/heads/\u202e\u2066x", after: "b".repeat(40) })));
    await shell.server.until(() => shell.server.stderr.includes("\\u202e"));
    for (const line of `${shell.server.stderr}${shell.server.stdout}`.split("\n")) {
      expect(line).not.toMatch(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/u);
    }
  });
});

describe("a signed form", () => {
  const field = `payload=${encodeURIComponent(PING)}`;

  rejects(400, [
    ["without the field", form("zen=x")],
    ["without content", form("")],
    ["with the field twice", form(`${field}&${field}`)],
    ["with the field twice, the second one empty,", form(`${field}&payload`)],
    ["with the field twice, the second name escaped,", form(`${field}&%70ayload=null`)],
    ["with the field as a list", form(field.replace("=", "[]="))],
    ["with the field in capitals", form(field.replace("p", "P"))],
    ["with an empty field", form("payload=")],
    ["with %00 in the JSON", form(`${field}%00`)],
    ["with %00 in the field's name", form(field.replace("=", "%00="))],
    ["with an incomplete escape", form(`${field}%`)],
    ["with an escape that is not hexadecimal", form(`${field}%zz`)],
    ["with an escaped byte that is not UTF-8", form(`payload=%22%ff%22`)],
    ["with an escaped overlong slash", form(`payload=%22%c0%af%22`)],
    ["with a raw byte that is not UTF-8", form(`payload=%22\xff%22`)],
    ["with another field before it", form(`a=b&${field}`)],
    ["with another field after it", form(`${field}&a=b`)],
    ["with nothing after an &", form(`${field}&`)],
    ["with 100,000 other fields", form(`${"a=b&".repeat(DEEP)}${field}`)],
    [
      "that is JSON with a form, holding a push, in one of its strings",
      {
        lines: [FORM, PUSH],
        body: `{"action":"opened","title":"&payload=${encodeURIComponent(pushBody())}&"}`,
      },
    ],
    ["with a byte order mark", form(`\xef\xbb\xbf${field}`)],
    ["with a byte order mark in the field", form(field.replace("=", "=%ef%bb%bf"))],
    ["with fields separated by semicolons", form(`a=b;${field}`)],
    [
      "in multipart format",
      form(`--x\r\nContent-Disposition: form-data; name="payload"\r\n\r\n${PING}\r\n--x--`),
    ],
    ["that is JSON", form(PING)],
    ["with 100,000 nested lists", form(`payload=${"[".repeat(DEEP)}${"]".repeat(DEEP)}`)],
  ]);

  accepts([
    ["with only the field", form(field)],
    ["with + for spaces", form(field.replaceAll("%20", "+"))],
    [
      "with every byte escaped",
      form(`payload=${Array.from(PING, (byte) => `%${byte.charCodeAt(0).toString(16)}`).join("")}`),
    ],
    ["with nothing escaped", form(`payload=${PING}`)],
  ]);
});

describe("a body with", () => {
  const typed = (type: string): Case => [
    `type ${JSON.stringify(type)}`,
    { lines: [`Content-Type: ${type}`] },
  ];

  rejects(415, [
    ["no type", { lines: ["Content-Type"] }],
    ...[
      "",
      "text/plain",
      "text/json",
      "application/*",
      "*/*",
      "application/json+ld",
      "application/jsonx",
      "application/json,application/json",
      "application/json charset=utf-8",
      "application/json; charset=utf-16",
      "application/json; charset=iso-8859-1",
      "application/json; charset=",
      'application/json; charset="utf-16 "',
      "application/json; charset='utf-8'",
      "application/json; charset=utf-8 utf-16",
      "application/json; charset=utf-8; charset=utf-7",
      "application/json; CHARSET = UTF-7",
      "multipart/form-data; boundary=x",
    ].map(typed),
    ...["gzip", "deflate", "br", "zstd", "identity", "gzip, gzip", ""].map(
      (encoding): Case => [
        `encoding ${JSON.stringify(encoding)}`,
        { lines: [`Content-Encoding: ${encoding}`] },
      ],
    ),
  ]);

  accepts(
    [
      "APPLICATION/JSON",
      "application/json;",
      "application/json; charset=utf-8",
      'application/json; Charset="UTF-8"',
      "application/json ;charset=utf8",
      "application/json; odd=parameter; version=1",
      "application/json; =; ;",
    ].map(typed),
  );

  test("gzip encoding gets 415 before the server reads any of it", async () => {
    await shell.storesNothing(async () => {
      const lines = ["Content-Encoding: gzip", "Content-Length: 1000000"];
      expect(await shell.codes(writeRequest({ lines, framed: "" }))).toEqual([415]);
    });
  });
});

describe("a body from an authorised client", () => {
  const json = (body: string): RawRequest => ({ target: "/webhook", body });

  accepts([
    ["null", json("null")],
    ["a list", json("[]")],
    ["a number out of range", json("1e999")],
    ["__proto__", json('{"__proto__":{"ref":"refs/heads/main"}}')],
    ["an invalid push", json('{"ref":"main","repository":{"full_name":7}}')],
    [
      "a push with empty fields",
      json('{"ref":"refs/heads/main","repository":{"full_name":""},"after":null,"head_commit":[]}'),
    ],
  ]);
  rejects(400, [
    ["an empty body", json("")],
    ["a byte that is not UTF-8", json('"\xff"')],
    ["100,000 nested lists", json("[".repeat(DEEP) + "]".repeat(DEEP))],
  ]);
  rejects(415, [["a form", { target: "/webhook", ...form("payload=null") }]]);
});
