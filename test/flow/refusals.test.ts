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

function record(
  source: Source,
  code: RefusalCode,
  headers: Record<string, string> = {},
  client: string | null = "192.0.2.1",
): void {
  const refused = { client, code, reason: null, headers: new Headers(headers) };
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

  /** How many refusals of each client are remembered. */
  function countByClient(): Record<string, number> {
    const counts: Record<string, number> = {};
    for (let before: number | null = null; ; ) {
      const { items, next } = refusals.list(null, { limit: 500, before });
      for (const { client } of items) counts[String(client)] = (counts[String(client)] ?? 0) + 1;
      if (next === null) return counts;
      before = next;
    }
  }

  test("of one sender do not push out those of the others", () => {
    for (let count = 0; count < 20; count++) record(GITHUB, "signature_mismatch", {}, "198.51.100.7");
    record(GITHUB, "signature_missing", {}, null);
    for (let count = 0; count < 5000; count++) record(GITHUB, "signature_missing");
    expect(countByClient()).toEqual({ "198.51.100.7": 20, null: 1, "192.0.2.1": 979 });
  });

  test("of many addresses in one IPv6 network count as those of one sender", () => {
    for (let count = 0; count < 20; count++) record(GITHUB, "signature_mismatch", {}, "198.51.100.7");
    for (let count = 0; count < 3000; count++) {
      record(GITHUB, "signature_missing", {}, `2001:db8::${count.toString(16)}`);
    }
    expect(countByClient()["198.51.100.7"]).toBe(20);
  });

  test("of many senders are remembered up to 1,000, the latest ones", () => {
    for (let count = 0; count < 3000; count++) {
      record(GITHUB, "signature_missing", {}, `10.0.${count >> 8}.${count & 255}`);
    }
    const counts = countByClient();
    expect(Object.keys(counts)).toHaveLength(1000);
    expect(counts["10.0.11.183"]).toBe(1);
    expect(counts["10.0.0.1"]).toBeUndefined();
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
