import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { Browser, Page } from "playwright-core";
import { BROWSER, openBrowser, openPage } from "./browser.ts";
import { Site } from "./site.ts";
import { Tunnel } from "./tunnel.ts";

const LINES = 100_000;

let site: Site;
let browser: Browser;
let page: Page;
let problems: readonly string[];
let long = 0;

const scroller = () => page.locator(".log-scroll");
const visible = () => page.locator(".log-row code").allInnerTexts();
const atEnd = `{
  const { scrollHeight, scrollTop, clientHeight } = document.querySelector(".log-scroll");
  scrollHeight - scrollTop - clientHeight < 2
}`;

describe.skipIf(BROWSER === null)("the output of a deployment", () => {
  beforeAll(async () => {
    site = new Site();
    await site.start();
    long = await site.deploy("blog", "A long build", {
      build: `i=0; seq 1 ${LINES} | sed 's/^/\\x1b[32mmodule\\x1b[0m /'; echo the last line`,
    });
    browser = await openBrowser();
    ({ page, problems } = await openPage(browser, { permissions: ["clipboard-read", "clipboard-write"] }));
    await site.logIn(page);
  });

  afterAll(async () => {
    await browser?.close();
    await site[Symbol.asyncDispose]();
  });

  test("has 100,000 lines, of which few are in the document, and scrolls smoothly", async () => {
    await page.goto(`${site.url}#/deployments/${long}`);
    await page.getByText("the last line", { exact: true }).waitFor();
    await page.getByText(/^100,0\d\d lines$/).waitFor();
    expect(await page.evaluate(atEnd)).toBe(true);
    expect(await page.locator(".log-row").count()).toBeLessThan(100);
    const slowest = (await page.evaluate(`(async () => {
      const element = document.querySelector(".log-scroll");
      const frame = () => new Promise(requestAnimationFrame);
      const times = [];
      for (let at = 0; at < 60; at += 1) {
        const since = performance.now();
        element.scrollTop = (element.scrollHeight / 60) * at;
        await frame();
        await frame();
        times.push(performance.now() - since);
      }
      return times.sort((a, b) => a - b)[54];
    })()`)) as number;
    // Two frames are 33 ms. A busy machine takes longer; without virtual rows a jump would take seconds.
    expect(slowest).toBeLessThan(500);
    expect((await visible()).length).toBeGreaterThan(10);
  });

  test("keeps colours as classes", async () => {
    await scroller().evaluate("(element) => { element.scrollTop = 20000 }");
    const span = page.locator(".log-row .fg-2").first();
    expect(await span.textContent()).toBe("module");
    expect(await page.locator(".log-row [style*=color]").count()).toBe(0);
  });

  test("finds text, and goes from match to match", async () => {
    await page.keyboard.press("/");
    await page.keyboard.type("MODULE 9999");
    await page.getByText("1 of 11", { exact: true }).waitFor();
    await page.locator("mark.current").first().waitFor();
    await page.keyboard.press("Enter");
    await page.getByText("2 of 11", { exact: true }).waitFor();
    await page.getByText("module 99990", { exact: true }).waitFor();
    await page.keyboard.press("Shift+Enter");
    await page.keyboard.press("Shift+Enter");
    await page.getByText("11 of 11", { exact: true }).waitFor();
    await page.getByLabel("Search the output").fill("nothing like it");
    await page.getByText("No match").waitFor();
    await page.getByLabel("Search the output").fill("");
  });

  test("wraps long lines, and remembers that", async () => {
    const id = await site.deploy("shop", "A wide build", { build: `printf '%0900d|\\n' 7; echo done` });
    await page.goto(`${site.url}#/deployments/${id}`);
    await page.getByText("done", { exact: true }).waitFor();
    const rows = () => page.locator(".log-row").count();
    const before = await rows();
    await page.getByRole("button", { name: "Wrap" }).click();
    await page
      .locator(".log-row")
      .nth(before + 3)
      .waitFor();
    expect(
      await page.evaluate(
        "(() => { const e = document.querySelector('.log-scroll'); return e.scrollWidth <= e.clientWidth })()",
      ),
    ).toBe(true);
    await page.reload();
    await page.getByText("done", { exact: true }).waitFor();
    expect(await page.getByRole("button", { name: "Wrap" }).getAttribute("aria-pressed")).toBe("true");
    await page.getByRole("button", { name: "Wrap" }).click();
    await page.locator(".log-row").nth(before).waitFor({ state: "detached" });
  });

  test("is copied and downloaded whole", async () => {
    await page.goto(`${site.url}#/deployments/${long}`);
    await page.getByText(/^100,0\d\d lines$/).waitFor();
    await page.getByRole("button", { name: "Copy", exact: true }).click();
    await page.getByText("Output copied.").waitFor();
    const copied = String(await page.evaluate("navigator.clipboard.readText()"));
    expect(copied).toContain("\nmodule 50000\n");
    expect(copied).not.toContain("\u001b");
    const [download] = await Promise.all([
      page.waitForEvent("download"),
      page.getByRole("button", { name: "Download" }).click(),
    ]);
    expect(download.suggestedFilename()).toBe(`deployment-${long}.log`);
    const file = join(site.workshop.path, "downloaded.log");
    await download.saveAs(file);
    const text = readFileSync(file, "utf8");
    expect(text).toContain("\u001b[32mmodule\u001b[0m 50000\n");
    expect(text).toEndWith("the last line\n");
  });

  test("follows new lines only while it is scrolled to its end", async () => {
    const go = (name: string) => join(site.workshop.path, name);
    const wait = (name: string) => `while [ ! -e ${go(name)} ]; do sleep 0.02; done`;
    site.commit("docs", "Steps", {
      build: `seq -f 'first %g' 100; ${wait("one")}; seq -f 'second %g' 100; ${wait("two")}; seq -f 'third %g' 100; ${wait("three")}`,
    });
    const { deployments = [] } = await site.push("docs");
    await page.goto(`${site.url}#/deployments/${deployments[0]?.id}`);
    await page.getByText("first 100", { exact: true }).waitFor();
    site.workshop.write("one", "");
    await page.getByText("second 100", { exact: true }).waitFor();
    expect(await page.evaluate(atEnd)).toBe(true);
    await scroller().hover();
    await page.mouse.wheel(0, -900);
    await page.getByRole("button", { name: "Follow the output" }).waitFor();
    const place = await scroller().evaluate("(element) => element.scrollTop");
    site.workshop.write("two", "");
    await page.getByText(/^3\d\d lines$/).waitFor();
    expect(await scroller().evaluate("(element) => element.scrollTop")).toBe(place);
    await page.getByRole("button", { name: "Follow the output" }).click();
    await page.getByText("third 100", { exact: true }).waitFor();
    expect(await page.evaluate(atEnd)).toBe(true);
    site.workshop.write("three", "");
    await page.getByRole("main").getByText("Succeeded", { exact: true }).waitFor();
    expect(problems).toEqual([]);
  });

  test("continues after a lost connection with the line that follows, and repeats none", async () => {
    await using tunnel = new Tunnel(site.adminPort);
    const url = await tunnel.open();
    const other = (await openPage(browser)).page;
    await site.logIn(other, "", url);
    const wait = (name: string) => `while [ ! -e ${join(site.workshop.path, name)} ]; do sleep 0.02; done`;
    site.commit("api", "Numbers", {
      build: `seq -f 'before %g' 50; ${wait("four")}; seq -f 'meanwhile %g' 50; ${wait("five")}; echo afterwards`,
    });
    const { deployments = [] } = await site.push("api");
    const id = deployments[0]?.id ?? 0;
    const resumed: string[] = [];
    other.on("request", (request) => {
      const last = request.headers()["last-event-id"];
      if (request.url().endsWith(`/api/deployments/${id}/log`) && last !== undefined) resumed.push(last);
    });
    await other.goto(`${url}#/deployments/${id}`);
    await other.getByText("before 50", { exact: true }).waitFor();
    tunnel.cut();
    await other.getByText("Reconnecting", { exact: true }).waitFor();
    site.workshop.write("four", "");
    tunnel.restore();
    await other.getByText("meanwhile 50", { exact: true }).waitFor();
    await other.getByText("Live", { exact: true }).waitFor();
    site.workshop.write("five", "");
    await other.getByText("afterwards", { exact: true }).waitFor();
    await other.getByRole("main").getByText("Succeeded", { exact: true }).waitFor();
    const stored = (await site.workshop.run(["deployment", "log", String(id)])).stdout.split("\n").length - 1;
    expect(await other.locator(".log-lines").textContent()).toBe(`${stored} lines`);
    expect(Number(resumed.at(-1))).toBeGreaterThan(50);
    await other.context().close();
  });
});
