import { describe, expect, test } from "bun:test";
import { createHmac } from "node:crypto";
import { generic } from "../../../src/providers/generic/index.ts";
import { DESTINATION, post } from "../../support/request.ts";
import { loadSecret } from "../load-secret.ts";

const NOW = DESTINATION.now;
const SECONDS = NOW.getTime() / 1000;
const PING = { kind: "ping", deliveryId: "d1", form: false, repository: "octocat/blog" } as const;
const tokens = [loadSecret("an older token"), loadSecret("t0k3n")];

describe("generic source with a token in the URL", () => {
  const handler = generic.createHandler({ query: { name: "token", tokens } });
  test.each([
    ["token=t0k3n", null, false],
    ["token=", "token_missing", false],
    ["", "token_missing", false],
    ["verify_token=t0k3n", "token_missing", false],
    ["token=t0k3n2", "token_mismatch", true],
    ["token=t0k3n&token=t0k3n", "token_repeated", false],
  ] as const)("answers ?%s", (query, code, isThrottled) => {
    expect(handler.verify(post({}, "{}", query), null, NOW)).toEqual(
      code === null ? { kind: "verified" } : { kind: "refused", status: "not authorised", code, isThrottled },
    );
  });

  test("sends the token in the URL beside other parameters", () => {
    const { query } = handler.compose(PING, { ...DESTINATION, query: new URLSearchParams("a=1") });
    expect(query.toString()).toBe("a=1&token=an+older+token");
  });
});

test("generic source with a token in a header", async () => {
  const handler = generic.createHandler({ header: { name: "X-Api-Key", tokens } });
  const codes = await Promise.all(
    [{ "x-api-key": "t0k3n" }, { "x-api-key": "" }, {}, { "x-api-key": "t0k3n, t0k3n" }].map(
      async (headers) => {
        const result = await handler.verify(post(headers as Record<string, string>, "{}"), null, NOW);
        return result.kind === "refused" ? result.code : null;
      },
    ),
  );
  expect(codes).toEqual([null, "token_missing", "token_missing", "token_mismatch"]);
});

describe("generic source with a signed time", () => {
  const hmac = {
    header: "x-signature",
    signed: "v0:{timestamp}:{id}:{method} {path}:{body}",
    timestamp_header: "x-time",
    secrets: [loadSecret("a shared secret")],
  };
  const handler = generic.createHandler({ hmac, id_header: "X-Id" });
  const sign = (time: number, body: string, id = "1") => {
    const signed = `v0:${time}:${id}:POST ${DESTINATION.path}:${body}`;
    const signature = createHmac("sha256", "a shared secret").update(signed).digest("hex");
    return post({ "x-signature": signature, "x-time": String(time), "x-id": id }, body);
  };

  test("accepts a time of up to five minutes away, and reads the id", () => {
    for (const time of [SECONDS - 300, SECONDS, SECONDS + 300]) {
      expect(handler.verify(sign(time, "{}"), null, NOW)).toEqual({ kind: "verified" });
    }
    expect(handler.parse(sign(SECONDS, "{}"))).toMatchObject({ identity: { id: "1", hook: null } });
    expect(handler.repeatedBody).toBe("new");
    expect(handler.verify(handler.compose(PING, DESTINATION), null, NOW)).toEqual({ kind: "verified" });
  });

  test.each([
    ["an hour ago", sign(SECONDS - 3600, "{}"), "timestamp_too_old"],
    ["too early", sign(SECONDS + 301, "{}"), "timestamp_too_new"],
    ["another body", { ...sign(SECONDS, "{}"), body: Buffer.from("[]") }, "signature_mismatch"],
    ["another path", { ...sign(SECONDS, "{}"), path: "/other" }, "signature_mismatch"],
  ])("refuses %s", (_, request, code) => {
    expect(handler.verify(request, null, NOW)).toMatchObject({ kind: "refused", code });
  });

  test("reports placeholders without their headers", () => {
    const { timestamp_header: _, ...untimed } = hmac;
    expect(generic.checkOptions({ hmac: untimed }).map(({ path }) => path.join("."))).toEqual([
      "hmac.timestamp_header",
      "id_header",
    ]);
    expect(generic.checkOptions({ hmac, id_header: "x-id" })).toEqual([]);
  });
});

describe("generic source whose options name the same header twice", () => {
  const secrets = [loadSecret("a shared secret")];
  const pathsOf = (settings: Parameters<typeof generic.checkOptions>[0]) =>
    generic.checkOptions(settings).map(({ path }) => path.join("."));

  test.each([
    ["X-Request-Id", "hmac.header"],
    ["user-agent", "hmac.header"],
  ])("refuses %s for a signature, because it is stored", (header, path) => {
    expect(pathsOf({ hmac: { header, secrets } })).toEqual([path]);
    expect(pathsOf({ header: { name: header, tokens } })).toEqual(["header.name"]);
  });

  test("refuses one header for a signature, a token and an id", () => {
    expect(pathsOf({ hmac: { header: "x-a", secrets }, id_header: "X-A" })).toEqual(["hmac.header"]);
    expect(pathsOf({ header: { name: "x-a", tokens }, id_header: "X-A" })).toEqual(["header.name"]);
    const both = { hmac: { header: "x-a", secrets }, header: { name: "X-A", tokens } };
    expect(pathsOf(both)).toEqual(["header.name"]);
    expect(pathsOf({ header: { name: "Authorization", tokens }, bearer: [loadSecret("t0k3n")] })).toEqual([
      "header.name",
    ]);
    expect(pathsOf({ bearer: [loadSecret("t0k3n")], id_header: "Authorization" })).toEqual(["id_header"]);
    expect(pathsOf({ header: { name: "Authorization", tokens }, id_header: "Idempotency-Key" })).toEqual([]);
  });
});
