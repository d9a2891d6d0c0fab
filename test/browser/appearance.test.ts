import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import type { Browser, Page } from "playwright-core";
import { pushBody } from "../support/payloads.ts";
import { BROWSER, openBrowser, openPage } from "./browser.ts";
import { Site, VERIFY_TOKEN } from "./site.ts";

const AXE = readFileSync(require.resolve("axe-core/axe.min.js"), "utf8");

/** Text that tries to run a script, to break out of an attribute, to widen the page and to reorder what follows. */
const HOSTILE = `"><img src=x onerror=alert(1)><script>alert(2)</script>\u202e${"W".repeat(300)}</pre>&lt;`;

/** What the browser reports for the target that does not exist, whose name is too long. */
const NO_TARGET = /status of 4(?:04|22)/;

/** Barriers depend on the width and, by their contrast, on the scheme: two pairs have all of both. */
const VIEWS = [
  { name: "wide, light", viewport: { width: 1440, height: 900 }, colorScheme: "light", findsBarriers: true },
  { name: "phone, dark", viewport: { width: 375, height: 720 }, colorScheme: "dark", findsBarriers: true },
  { name: "tablet", viewport: { width: 900, height: 800 }, colorScheme: "light", findsBarriers: false },
] as const;

let site: Site;
let browser: Browser;
/** The addresses of every page, with data. */
let pages: readonly string[] = [];

async function fill(): Promise<void> {
  const tags = "printf '%s\\n' '<script>alert(3)</script><b>bold</b>'";
  await site.deploy("blog", "First page");
  const succeeded = await site.deploy("blog", `Second page ${HOSTILE}`, {
    build: `${tags}; printf '\\033]8;;javascript:alert(4)\\033\\\\link\\033]8;;\\033\\\\ \\033[31mred\\n'; printf '%0500d\\n' 1`,
  });
  const failed = await site.deploy("shop", HOSTILE, { build: `echo '${"x".repeat(2_000)}'; exit 1` });
  await site.workshop.run([
    "target",
    "lock",
    "docs",
    "--reason",
    HOSTILE.slice(0, 400).replace("\u202e", ""),
    "--by",
    "<i>x</i>",
  ]);
  const hostile = pushBody({
    full_name: "octocat/blog",
    ref: `refs/heads/${HOSTILE.replaceAll("\u202e", "")}`,
    [HOSTILE]: { [HOSTILE]: [HOSTILE, 1, true, null] },
    commits: Array.from({ length: 250 }, (_, at) => ({ id: at, message: HOSTILE })),
  });
  const { delivery } = await site.deliver("push", hostile);
  await site.push("docs");
  await site.deliver("push", "{}", "a secret that the source does not have");
  await fetch(new URL(`/webhook?verify_token=${encodeURIComponent(VERIFY_TOKEN)}`, site.server.url));
  pages = [
    "#/",
    "#/targets/blog",
    "#/targets/docs",
    "#/deployments",
    `#/deployments/${succeeded}`,
    `#/deployments/${failed}`,
    "#/deliveries",
    `#/deliveries/${delivery}`,
    "#/refusals",
    "#/clients",
    "#/status",
    `#/targets/${encodeURIComponent(HOSTILE)}`,
    "#/nothing",
  ];
}

/** Opens a page and waits until nothing is loading. */
async function show(page: Page, hash: string): Promise<void> {
  await page.goto(site.url + hash);
  await page.getByRole("heading", { level: 1 }).waitFor();
  await page.locator(".skeleton").first().waitFor({ state: "detached" });
}

/** Serious findings of axe-core (https://github.com/dequelabs/axe-core) on the page. */
async function findBarriers(page: Page): Promise<readonly string[]> {
  // The CSP of the page does not apply to what the test evaluates.
  await page.evaluate(AXE);
  const { violations } = (await page.evaluate("axe.run()")) as {
    violations: { id: string; impact: string; nodes: { html: string; failureSummary: string }[] }[];
  };
  return violations
    .filter(({ impact }) => impact === "serious" || impact === "critical")
    .flatMap(({ id, nodes }) => nodes.map(({ html, failureSummary }) => `${id}: ${html}: ${failureSummary}`));
}

/** Elements that are wider than the page, outside of areas that scroll. */
const OVERFLOWING = `[...document.querySelectorAll("body *")].filter((element) => {
  if (element.closest(".log-scroll, .payload, .announcement, .snippet")) return false;
  return element.getBoundingClientRect().right > document.documentElement.clientWidth + 1;
}).map((element) => element.outerHTML.slice(0, 120))`;

describe.skipIf(BROWSER === null)("every page", () => {
  beforeAll(async () => {
    site = new Site();
    await site.start();
    await fill();
    browser = await openBrowser();
  });

  afterAll(async () => {
    await browser?.close();
    await site[Symbol.asyncDispose]();
  });

  for (const { name, viewport, colorScheme, findsBarriers } of VIEWS) {
    test(`has no barrier, no overflow and no error: ${name}`, async () => {
      const { page, problems } = await openPage(browser, { viewport, colorScheme });
      await page.goto(site.url);
      await page.getByLabel("Admin token").waitFor();
      expect(await findBarriers(page)).toEqual([]);
      await site.logIn(page);
      for (const hash of pages) {
        await show(page, hash);
        const isNarrow = await page.evaluate("document.documentElement.scrollWidth <= innerWidth");
        expect([hash, isNarrow, await page.evaluate(OVERFLOWING)]).toEqual([hash, true, []]);
        if (findsBarriers) expect([hash, await findBarriers(page)]).toEqual([hash, []]);
      }
      expect(problems.filter((problem) => !NO_TARGET.test(problem))).toEqual([]);
      await page.context().close();
    });
  }

  test("shows hostile text as text: no script runs, and no element is made from it", async () => {
    const { page, problems } = await openPage(browser);
    await site.logIn(page);
    for (const hash of pages) {
      await show(page, hash);
      for (const toggle of await page.locator(".tree-toggle[aria-expanded=false]").all())
        await toggle.click();
      expect(await page.locator("#app img, #app script, #app b, #app i").count()).toBe(0);
      expect(await page.evaluate("document.body.textContent.includes('\\u202e')")).toBe(false);
    }
    await show(page, pages[5] ?? "");
    expect(await page.locator("h1, .facts, .notice").allInnerTexts()).not.toBe([]);
    expect(await page.getByText("<script>alert(2)</script>").count()).toBeGreaterThan(0);
    expect(problems.filter((problem) => !NO_TARGET.test(problem))).toEqual([]);
    await page.context().close();
  });

  test("runs no script that something else put into the page", async () => {
    const { page, problems } = await openPage(browser);
    await site.logIn(page);
    await page.evaluate(`{
      const script = document.createElement("script");
      try { script.textContent = "window.injected = 1"; document.body.append(script); } catch {}
      try { document.body.insertAdjacentHTML("beforeend", "<img src=x onerror='window.injected = 2'>"); } catch {}
      const link = document.createElement("a");
      try { link.setAttribute("onclick", "window.injected = 3"); } catch {}
      document.body.append(link);
      link.click();
    }`);
    expect(await page.evaluate("window.injected")).toBeUndefined();
    expect(problems.join()).toMatch(/requires 'TrustedScript'.*requires 'TrustedHTML'/);
    await page.context().close();
  });

  test("does not move while it is loading", async () => {
    const { page } = await openPage(browser);
    await site.logIn(page);
    for (const hash of ["#/", "#/deployments", "#/targets/blog", "#/status"]) {
      await page.goto("about:blank");
      await page.addInitScript(`
        window.shift = 0;
        new PerformanceObserver((list) => {
          for (const entry of list.getEntries()) window.shift += entry.value;
        }).observe({ type: "layout-shift", buffered: true });`);
      await show(page, hash);
      await page.waitForTimeout(500);
      // Web Vitals call up to 0.1 good.
      expect([hash, Number(await page.evaluate("window.shift"))]).toEqual([hash, expect.any(Number)]);
      expect(Number(await page.evaluate("window.shift"))).toBeLessThan(0.1);
    }
    await page.context().close();
  });

  test("can be used with the keyboard alone", async () => {
    const { page } = await openPage(browser);
    await page.goto(site.url);
    await page.getByLabel("Admin token").waitFor();
    // The field has the focus.
    await page.keyboard.insertText(site.token);
    await page.keyboard.press("Enter");
    await page.getByRole("navigation", { name: "Pages" }).waitFor();
    const focused = () =>
      page.evaluate("document.activeElement.innerText || document.activeElement.name || ''");
    const press = async (key: string, until: string) => {
      for (let count = 0; count < 40; count += 1) {
        await page.keyboard.press(key);
        if (String(await focused()).trim() === until) return;
      }
      throw new Error(`the focus never reached ${until}`);
    };
    await press("Tab", "blog");
    await page.keyboard.press("Enter");
    await page.getByRole("heading", { level: 1, name: "blog" }).waitFor();
    await press("Tab", "Lock");
    await page.keyboard.press("Enter");
    await page.getByRole("dialog").waitFor();
    // The focus is in the dialog, stays there, and returns with Escape.
    expect(await focused()).toBe("reason");
    await press("Tab", "Lock");
    await page.keyboard.press("Escape");
    expect(await page.getByRole("dialog").count()).toBe(0);
    expect(await focused()).toBe("Lock");
    // The first stop of a page skips the navigation.
    await page.keyboard.press("Control+Home");
    await page.reload();
    await page.getByRole("heading", { level: 1, name: "blog" }).waitFor();
    await page.getByRole("button", { name: "Skip to content" }).focus();
    await page.keyboard.press("Enter");
    expect(await page.evaluate("document.activeElement.id")).toBe("main");
    await page.context().close();
  });

  test("warns of a certificate that expires, of a disk that fills up, and of an update of the server", async () => {
    const { page, problems } = await openPage(browser);
    await site.logIn(page);
    let changes: Record<string, unknown> = {};
    await page.route("**/api/status", async (route) => {
      const response = await route.fetch();
      await route.fulfill({ response, json: { ...((await response.json()) as object), ...changes } });
    });
    await show(page, "#/status");
    expect(await page.locator(".notice").count()).toBe(0);
    changes = {
      version: "99.0.0",
      certificate_expires_at: new Date(Date.now() + 3 * 86_400_000).toISOString(),
      disks: [
        { path: "/srv", free_bytes: 300 * 1024 ** 2, total_bytes: 20 * 1024 ** 3 },
        { path: "/var/lib/hooklatch", free_bytes: 15 * 1024 ** 3, total_bytes: 20 * 1024 ** 3 },
      ],
    };
    await show(page, "#/");
    await page.getByText("The certificate expires in 3 d").waitFor();
    await page.getByText("Only 300 MiB are free on the disk of /srv.").waitFor();
    await page.getByText("The server was updated to 99.0.0.").waitFor();
    expect(await page.locator(".notice").count()).toBe(3);
    expect(await findBarriers(page)).toEqual([]);
    expect(problems).toEqual([]);
    await page.context().close();
  });

  test("shows a state that this version does not know", async () => {
    const { page, problems } = await openPage(browser);
    await site.logIn(page);
    await page.route("**/api/deliveries?*", async (route) => {
      const response = await route.fetch();
      const list = (await response.json()) as { items: Record<string, unknown>[] };
      const items = list.items.map((item, at) => ({
        ...item,
        status: at === 0 ? "parked" : "waiting_for_review",
        event: "new_kind",
      }));
      await route.fulfill({ response, json: { ...list, items } });
    });
    await show(page, "#/deliveries");
    await page.getByText("Parked", { exact: true }).waitFor();
    await page.getByText("Waiting for review", { exact: true }).first().waitFor();
    expect(problems).toEqual([]);
    await page.context().close();
  });
});
