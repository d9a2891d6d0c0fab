import { beforeEach, describe, expect, test } from "bun:test";
import { REFUSAL_CODES, type RefusalCode } from "../../src/domain/codes.ts";
import { hintFor } from "../../src/domain/refused-request.ts";
import type { Source } from "../../src/domain/source.ts";
import { createRefusals, type Refusals } from "../../src/flow/refusals.ts";
import type { LogFields } from "../../src/lib/log.ts";
import { generic } from "../../src/providers/generic/index.ts";
import { github } from "../../src/providers/github/index.ts";
import { TestClock } from "../support/clock.ts";

const ALL = { limit: 500, before: null };
let lines: LogFields[];
let refusals: Refusals;

beforeEach(() => {
  lines = [];
  refusals = createRefusals({ clock: new TestClock(), logThrottled: (fields) => void lines.push(fields) });
});

function sourceOf(name: string, provider: typeof github | typeof generic): Source {
  const handler = provider.createHandler({});
  const common = { print: false, onRedelivery: "run", allow: null, keepHeaders: [] } as const;
  return { name, provider: provider.name, path: `/${name}`, handler, answer: { kind: "receipt" }, ...common };
}

const GITHUB = sourceOf("github", github);
const WEBHOOK = sourceOf("webhook", generic);

function record(source: Source, code: RefusalCode, headers: Record<string, string> = {}): void {
  const refused = { client: "192.0.2.1", code, reason: null, headers: new Headers(headers) };
  refusals.record(source, "not authorised", refused);
}

describe("refused requests", () => {
  test("are listed newest first, page by page and by source", () => {
    record(GITHUB, "signature_missing");
    record(WEBHOOK, "client_unknown");
    record(GITHUB, "signature_mismatch");
    const idsOf = (source: string | null, limit: number, before: number | null) => {
      const { items, next } = refusals.list(source, { limit, before });
      return [items.map(({ id }) => id), next];
    };
    expect(idsOf(null, 2, null)).toEqual([[3, 2], 2]);
    expect(idsOf(null, 2, 2)).toEqual([[1], null]);
    expect(idsOf("github", 2, null)).toEqual([[3, 1], null]);
    expect(idsOf("gone", 2, null)).toEqual([[], null]);
  });

  test("are remembered up to 1,000", () => {
    for (let count = 0; count < 1500; count++) record(GITHUB, "signature_missing");
    const first = refusals.list(null, ALL);
    const second = refusals.list(null, { limit: 500, before: first.next });
    expect([first.items.at(0)?.id, second.items.at(-1)?.id, second.next]).toEqual([1500, 501, null]);
  });

  test("are logged with code, hint and the id of the sender", () => {
    record(GITHUB, "signature_missing", { "x-github-delivery": "6f3a-11" });
    expect(lines).toMatchObject([{ source: "github", code: "signature_missing", provider_id: "6f3a-11" }]);
    expect(String(lines[0]?.hint)).toContain("X-Hub-Signature-256");
  });

  test.each(["a b", "x".repeat(200), "é"])("have no id where the header is %p", (id) => {
    record(GITHUB, "signature_missing", { "x-github-delivery": id });
    expect(refusals.list(null, ALL).items[0]?.providerId).toBeNull();
  });

  test("have a reason of bounded length on one line", () => {
    const refused = { client: null, code: "unexpected_payload", headers: new Headers() } as const;
    refusals.record(GITHUB, "invalid payload", { ...refused, reason: `a\n${"x".repeat(10_000)}` });
    const reason = refusals.list(null, ALL).items[0]?.reason ?? "";
    expect(reason.length).toBeLessThanOrEqual(500);
    expect(reason).not.toContain("\n");
  });

  test("have hints", () => {
    const codes = Object.keys(REFUSAL_CODES) as RefusalCode[];
    expect(codes.map((code) => `${code}: ${hintFor(code, null)}`)).toMatchSnapshot();
    expect(hintFor("signature_missing", "X-Signature")).toMatchSnapshot();
  });
});
