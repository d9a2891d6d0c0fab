import { describe, expect, test } from "bun:test";
import { gunzipSync } from "node:zlib";
import { formatBytes } from "../../src/lib/text.ts";
import { page } from "../../src/web/index.ts";
import { eventDetails, eventText, outcomeText, statusText } from "../../src/web/page/delivery-text.ts";
import { capitalise, formatRelative, formatTook, printable } from "../../src/web/page/format.ts";
import { decodePayload } from "../../src/web/page/payload.ts";
import { addressOf, parseRoute, pickFilter, type Route, targetAddress } from "../../src/web/page/route.ts";

describe("the address", () => {
  test.each<readonly [string, Route]>([
    ["", { page: "overview" }],
    ["#/", { page: "overview" }],
    ["#/targets/blog", { page: "target", name: "blog" }],
    ["#/targets/a%2Fb%20c", { page: "target", name: "a/b c" }],
    ["#/targets/%zz", { page: "target", name: "%zz" }],
    [
      "#/deployments?state=failed&target=blog",
      { page: "deployments", filter: { state: "failed", target: "blog" } },
    ],
    ["#/deployments/12", { page: "deployment", id: 12 }],
    ["#/deliveries/7", { page: "delivery", id: 7 }],
    ["#/refusals", { page: "refusals", filter: {} }],
    ["#/clients", { page: "clients" }],
    ["#/status", { page: "status" }],
    ["#/deployments/0", { page: "unknown" }],
    ["#/deployments/12/more", { page: "unknown" }],
    ["#/nothing", { page: "unknown" }],
    ["#/clients/1", { page: "unknown" }],
  ])("%p", (hash, route) => {
    expect(parseRoute(hash)).toEqual(route);
  });

  test("of a page leads to it", () => {
    expect(parseRoute(targetAddress("a/b ?#é"))).toEqual({ page: "target", name: "a/b ?#é" });
    expect(parseRoute(addressOf("deliveries", { source: "a&b=c", status: "" }))).toEqual({
      page: "deliveries",
      filter: { source: "a&b=c" },
    });
    expect(pickFilter({ source: "github", other: "1", status: "" }, ["source", "status"])).toEqual({
      source: "github",
    });
  });
});

describe("text", () => {
  const NOW = Date.parse("2026-11-21T20:30:00Z");

  test.each([
    [0, "just now"],
    [44_000, "just now"],
    [50_000, "1 min ago"],
    [59 * 60_000, "59 min ago"],
    [60 * 60_000, "1 h ago"],
    [47 * 3600_000, "47 h ago"],
    [72 * 3600_000, "3 d ago"],
    [-3 * 3600_000, "in 3 h"],
    [-10_000, "in a moment"],
  ])("of a time %d ms ago", (ago, text) => {
    expect(formatRelative(NOW - ago, NOW)).toBe(text);
  });

  test("of a duration", () => {
    const started_at = new Date(NOW).toISOString();
    expect(formatTook({ started_at: null, ended_at: null }, NOW)).toBeNull();
    expect(formatTook({ started_at, ended_at: new Date(NOW + 1_640).toISOString() }, NOW)).toBe("1.6 s");
    expect(formatTook({ started_at, ended_at: null }, NOW + 65_400)).toBe("1 min 5 s");
    // The clock of the browser may be behind that of the server.
    expect(formatTook({ started_at, ended_at: null }, NOW - 5_000)).toBe("0 s");
  });

  test("of bytes", () => {
    expect([0, 1023, 1536, 150 * 1024 ** 2, 3 * 1024 ** 4].map(formatBytes)).toEqual([
      "0 B",
      "1023 B",
      "1.5 KiB",
      "150 MiB",
      "3.0 TiB",
    ]);
  });

  test("of a word that this version does not know", () => {
    expect(capitalise("waiting_for_approval")).toBe("Waiting for approval");
  });

  test.each([
    ["ci", "CI"],
    ["waiting_for_ci", "Waiting for CI"],
    ["catch-up", "Catch-up"],
    ["decision", "Decision"],
  ])("of the word %s", (word, text) => {
    expect(capitalise(word)).toBe(text);
  });

  test.each([
    ["ok", "Accepted"],
    ["pong", "Ping"],
    ["held", "Held"],
    ["of_a_newer_server", "Of a newer server"],
  ])("of the status %s of a delivery", (status, text) => {
    expect(statusText(status)).toBe(text);
  });

  test.each([
    [{ event: "push", event_name: "push", action: null }, "Push", "Push"],
    [{ event: "push", event_name: "Push Hook", action: null }, "Push", "Push (Push Hook)"],
    [{ event: "ci", event_name: "workflow_run", action: "completed" }, "CI", "CI (workflow_run.completed)"],
    [{ event: "other", event_name: "invoice.paid", action: null }, "invoice.paid", "invoice.paid"],
    [{ event: "other", event_name: "issues", action: "opened" }, "issues.opened", "issues.opened"],
    [{ event: "other", event_name: null, action: null }, "Other", "Other"],
  ] as const)("of the event %j", (event, text, details) => {
    expect([eventText(event), eventDetails(event)]).toEqual([text, details]);
  });

  test.each([
    [{ state: "queued", code: null, reason: "locked by root: j" }, "queued: locked by root: j"],
    [{ state: "succeeded", code: null, reason: null }, "succeeded"],
    [{ state: "cancelled", code: "cancelled", reason: "cancelled by ada" }, "cancelled by ada"],
    [{ state: "cancelled", code: "already_live", reason: "it is live" }, "skipped: it is live"],
  ] as const)("of the outcome %j", (outcome, text) => {
    expect(outcomeText(outcome)).toBe(text);
  });

  test("from outside has no character that reorders, hides or controls", () => {
    expect(printable("a\u202eb\u200bc\u0007d\ne")).toBe("a\\u202eb\\u200bc\\u0007d\ne");
  });
});

describe("decodePayload", () => {
  const FORM = "application/x-www-form-urlencoded";

  test("decodes JSON, and the JSON text of a form", () => {
    expect(decodePayload('\ufeff{"a":1}', "application/json")).toEqual({ kind: "json", value: { a: 1 } });
    expect(decodePayload("payload=%7B%22a%22%3A1%7D", FORM)).toEqual({ kind: "json", value: { a: 1 } });
  });

  test("leaves every other body as text", () => {
    expect(decodePayload("a=1&b=2", FORM)).toEqual({ kind: "text" });
    expect(decodePayload("", "application/json")).toEqual({ kind: "text" });
  });
});

describe("the bundle", () => {
  const files = Object.entries(page).map(([name, base64]) => [name, Buffer.from(base64, "base64")] as const);
  const textOf = (name: string) => gunzipSync(files.find(([each]) => each === name)?.[1] ?? "").toString();

  test("has less than 40 KB, compressed", () => {
    const size = files.reduce((sum, [, { length }]) => sum + length, 0);
    expect(size).toBeLessThan(40_000);
    expect(size).toBeGreaterThan(10_000);
  });

  test("has no inline script or style, and no address of another server", () => {
    expect(textOf("html")).not.toMatch(/<script(?![^>]*\ssrc=)|<style|\son\w+=|\sstyle=/i);
    const addresses = ["html", "script", "style", "icon"].flatMap(
      (name) => textOf(name).match(/\bhttps?:\/\/[\w.-]+/g) ?? [],
    );
    // Names of XML dialects, which nothing loads.
    expect(addresses.filter((address) => address !== "http://www.w3.org")).toEqual([]);
    expect(textOf("script")).not.toMatch(/dangerouslySetInnerHTML=|\beval\(|new Function\(/);
  });
});
