import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import type { Client } from "../../src/domain/client.ts";
import { STORED_HEADERS, selectHeaders } from "../../src/domain/delivery.ts";
import type { Provider, RawRequest, SampleRequest, SourceHandler } from "../../src/domain/provider.ts";
import { AppError } from "../../src/lib/errors.ts";
import { DESTINATION, post } from "../support/request.ts";
import { loadSecret } from "./load-secret.ts";

/** A provider under test, together with source handlers that its contract needs. */
export interface ProviderSubject {
  readonly provider: Provider;
  /** The configured authentication, for a provider that has several. */
  readonly variant?: string;
  /** A source handler with secrets. */
  readonly handler: SourceHandler;
  /** A source handler without any options. */
  readonly unset: SourceHandler;
  /** The authorised client of a valid sender; null when the provider needs none. */
  readonly client: Client | null;
}

const NOW = DESTINATION.now;
const BEFORE = "59b20b8d5c6ff8d09518454d4dd8b7b30f095ab5";
const AFTER = "0d1a26e67d8f5eaf1f6ba5c57fc3c7d91ac0fd1c";
const ZERO = "0".repeat(40);
const REFUSED = { kind: "refused", isThrottled: false } as const;

const PUSH = {
  kind: "push",
  deliveryId: "72d3162e-cc78-11e3-81ab-4c9367dc0958",
  form: false,
  repository: "octocat/blog",
  ref: "refs/heads/main",
  before: BEFORE,
  after: AFTER,
} as const satisfies SampleRequest;
const PING = {
  kind: "ping",
  deliveryId: PUSH.deliveryId,
  form: false,
  repository: PUSH.repository,
} as const satisfies SampleRequest;

/** Their tests of a webhook are pushes, which deploy. */
const WITHOUT_PING = ["gitlab", "gitea"];

const SECRET_HEADERS = [
  "authorization",
  "cookie",
  "x-hub-signature",
  "x-hub-signature-256",
  "x-github-encoded-secret",
  "x-gitlab-token",
];

/** Tests what every provider must guarantee. */
export function describeProvider(subject: ProviderSubject): void {
  const { provider, handler, unset, client } = subject;

  /** A push with valid headers and another body. */
  const withBody = (body: Uint8Array): RawRequest => ({ ...handler.compose(PUSH, DESTINATION), body });

  describe(`provider ${provider.name}${subject.variant ? ` ${subject.variant}` : ""}`, () => {
    test("has a valid name, a one-line summary and an option for the generated secret", () => {
      expect(provider.name).toMatch(/^[a-z][a-z0-9-]*$/);
      expect(provider.summary).toMatch(/^[^\n]+$/);
      expect(Object.keys(provider.options.properties)).toContain(provider.generatedSecret);
    });

    test("reads no text with NUL, which not every store can hold", () => {
      const { headers, body } = handler.compose(PUSH, DESTINATION);
      const json = new TextDecoder().decode(body);
      for (const { index } of json.matchAll(/(?<=: ?"[^"\\]*)"/g)) {
        const changed = Buffer.from(`${json.slice(0, index)}\\u0000${json.slice(index)}`);
        const { events, identity } = {
          events: [],
          identity: null,
          ...handler.parse({ headers, body: changed }),
        };
        expect(JSON.stringify({ events, identity })).not.toContain("\\u0000");
      }
    });

    test("describes the form for a new webhook with the URL and the secret", () => {
      const form = provider.webhookForm?.({
        url: "https://hooks.example.com/in",
        secrets: { [provider.generatedSecret]: "s3cret" },
        repository: "octocat/blog",
        waitsForCi: true,
      });
      if (form === undefined) return;
      const values = form.fields.map(([, value]) => value).join();
      expect(values).toContain("https://hooks.example.com/in");
      // A secret that the sender issues is entered nowhere.
      expect(values.includes("s3cret")).toBe(form.issuedSecret === undefined);
      expect(form.issuedSecret === undefined).toBe(provider.needsGeneratedSecret({}));
      expect(form.page).not.toContain("s3cret");
    });

    test("generates secrets that it accepts, each from its own bytes", async () => {
      const [one, two] = [1, 2].map((byte) => provider.formatSecret(Buffer.alloc(32, byte)));
      expect(one).toMatch(/^[!-~]{32,}$/);
      expect(one).not.toBe(two ?? "");
      const own = provider.createHandlerWithSecret(loadSecret(one ?? ""));
      if (own.handshake !== null && client === null) return;
      expect(await own.verify(own.compose(PUSH, DESTINATION), client, NOW)).toEqual({ kind: "verified" });
      const other = provider.createHandlerWithSecret(loadSecret(two ?? ""));
      if (own.handshake !== null) return;
      expect(await other.verify(own.compose(PUSH, DESTINATION), null, NOW)).toMatchObject({
        kind: "refused",
      });
    });

    describe("compose", () => {
      for (const form of handler.contentTypes.includes("application/x-www-form-urlencoded")
        ? [false, true]
        : [false]) {
        const format = form ? "a form" : "JSON";

        test(`writes a ping as ${format} that verifies`, async () => {
          if (WITHOUT_PING.includes(provider.name)) {
            expect(() => handler.compose({ ...PING, form }, DESTINATION)).toThrow(AppError);
            return;
          }
          const request = handler.compose({ ...PING, form }, DESTINATION);
          expect(handler.contentTypes).toContain(request.headers.get("content-type") ?? "");
          expect(await handler.verify(request, client, NOW)).toEqual({ kind: "verified" });
          expect(handler.parse(request)).toMatchObject({ kind: "parsed" });
        });

        // Any other sender's push is a payload without a meaning.
        const isPushRead = provider.reportsPushes || provider.name === "generic";
        for (const [what, ref, kind] of isPushRead
          ? ([
              ["branch", "refs/heads/main", "branch"],
              ["tag", "refs/tags/v1.0.0", "tag"],
            ] as const)
          : []) {
          const name = ref.slice(ref.indexOf("/", "refs/".length) + 1);
          const event = { kind: "push", repository: "octocat/blog", ref: { kind, name } };

          test(`writes a ${what} push as ${format} that verifies and reads back`, async () => {
            const request = handler.compose({ ...PUSH, ref, form }, DESTINATION);
            expect(await handler.verify(request, client, NOW)).toEqual({ kind: "verified" });
            const result = handler.parse(request);
            expect(result).toMatchObject({
              kind: "parsed",
              events: [{ ...event, deleted: false, commit: AFTER }],
            });
          });

          test(`writes a ${what} creation as ${format} that reads back`, () => {
            const result = handler.parse(handler.compose({ ...PUSH, ref, before: ZERO, form }, DESTINATION));
            expect(result).toMatchObject({
              kind: "parsed",
              events: [{ ...event, deleted: false, commit: AFTER }],
            });
          });

          test(`writes a ${what} deletion as ${format} that reads back`, () => {
            const result = handler.parse(handler.compose({ ...PUSH, ref, after: ZERO, form }, DESTINATION));
            expect(result).toMatchObject({
              kind: "parsed",
              events: [{ ...event, deleted: true, commit: null }],
            });
          });
        }

        test(`writes a payload as ${format} byte for byte`, async () => {
          const json = '{ "text" : "\\u001B[34m ♥ 100% a+b&c=d" }\n';
          const request = handler.compose(
            {
              kind: "payload",
              event: "note",
              deliveryId: "1",
              form,
              json: Buffer.from(json),
            },
            DESTINATION,
          );
          expect(await handler.verify(request, client, NOW)).toEqual({ kind: "verified" });
          expect(handler.parse(request)).toMatchObject({
            kind: "parsed",
            json,
            events: [{ kind: "other" }],
          });
        });
      }

      test("throws on a form when the provider accepts only JSON", () => {
        if (handler.contentTypes.includes("application/x-www-form-urlencoded")) return;
        expect(() => handler.compose({ ...PUSH, form: true }, DESTINATION)).toThrow(AppError);
      });
    });

    describe("verify", () => {
      test("rejects every request and handshake when no secret is configured", async () => {
        const sender = unset.handshake === null ? client : null;
        expect(await unset.verify(handler.compose(PUSH, DESTINATION), sender, NOW)).toMatchObject({
          kind: "refused",
        });
        for (const query of ["", "verify_token=", "verify_token=null", "verify_token=undefined"]) {
          const result = unset.handshake?.verify(new URLSearchParams(query), new Headers());
          if (result !== undefined) expect(result).toMatchObject(REFUSED);
        }
      });

      test("rejects another body, unless it shows a token", async () => {
        if (handler.usesGuessableSecrets || handler.handshake !== null) return;
        const request = handler.compose(PUSH, DESTINATION);
        const result = await handler.verify({ ...request, body: bytes("{}") }, client, NOW);
        expect(result).toMatchObject({ ...REFUSED, status: "signature verification failed" });
      });

      test("rejects a request without credentials and does not count it as a failed attempt", async () => {
        const body = handler.compose(PUSH, DESTINATION).body;
        const result = await handler.verify(post({}, body), null, NOW);
        expect(result).toMatchObject(REFUSED);
      });
    });

    describe("read", () => {
      for (const [what, body] of [
        ["an empty body", bytes("")],
        ["white space", bytes(" \n")],
        ["a body that is not UTF-8", Uint8Array.of(0x22, 0xff, 0x22)],
        ["an encoded surrogate", Uint8Array.of(0x22, 0xed, 0xa0, 0x80, 0x22)],
        ["plain text", bytes("hello")],
        ["truncated JSON", bytes('{"a":')],
        ["two JSON values", bytes("{}{}")],
        ["NaN", bytes("NaN")],
        ["a million nested arrays", bytes("[".repeat(1_000_000) + "]".repeat(1_000_000))],
        ["a hundred thousand nested objects", bytes(`${'{"a":'.repeat(100_000)}1${"}".repeat(100_000)}`)],
      ] as const) {
        test(`rejects ${what} as invalid`, () => {
          const result = handler.parse(withBody(body));
          expect(result).toMatchObject({ kind: "unreadable", code: "invalid_payload" });
        });
      }

      test("treats the key __proto__ as data", () => {
        const json = '{"__proto__":{"ref":"refs/heads/main","deleted":true},"constructor":1,"a":[]}';
        const result = handler.parse(
          handler.compose(
            {
              kind: "payload",
              event: "note",
              deliveryId: "1",
              form: false,
              json: Buffer.from(json),
            },
            DESTINATION,
          ),
        );
        expect(result).toMatchObject({ kind: "parsed", events: [{ kind: "other" }], json });
        expect(Object.hasOwn({}, "ref")).toBe(false);
        expect(Reflect.get({}, "ref")).toBeUndefined();
      });

      test("never throws on arbitrary bytes", () => {
        fc.assert(
          fc.property(fc.uint8Array({ maxLength: 200 }), (body) => handler.parse(withBody(body)) !== null),
        );
      });

      test("returns the text of any JSON unchanged", () => {
        fc.assert(
          fc.property(fc.json(), (json) => {
            const result = handler.parse(withBody(bytes(json)));
            if (result.kind === "parsed") expect(result.json).toBe(json);
          }),
        );
      });
    });

    test("stores no header that contains a secret", () => {
      const headers = new Headers(SECRET_HEADERS.map((name) => [name, "s3cret"]));
      expect(selectHeaders(headers, handler.storedHeaders, [])).toEqual({});
      for (const name of handler.storedHeaders) expect(name).toBe(name.toLowerCase());
    });

    test("names the headers without which a request is refused as credentials, which are not stored", async () => {
      const { credentialHeaders, storedHeaders } = handler;
      expect(credentialHeaders.filter((name) => storedHeaders.includes(name))).toEqual([]);
      const request = handler.compose(PUSH, DESTINATION);
      for (const name of request.headers.keys()) {
        if (storedHeaders.includes(name) || STORED_HEADERS.includes(name)) continue;
        const headers = new Headers(request.headers);
        headers.delete(name);
        const { kind } = await handler.verify({ ...request, headers }, client, NOW);
        // The time that a signature covers is not secret.
        if (kind === "refused" && !/time/.test(name)) expect(credentialHeaders).toContain(name);
      }
      const all = [...credentialHeaders, ...SECRET_HEADERS];
      const shown = new Headers(all.map((name) => [name, "s3cret"]));
      expect(selectHeaders(shown, [...storedHeaders, ...credentialHeaders], credentialHeaders)).toEqual({});
    });
  });
}

function bytes(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}
