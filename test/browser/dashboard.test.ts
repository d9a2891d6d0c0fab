import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import type { Browser, Page } from "playwright-core";
import { BROWSER, openBrowser, openPage, type WatchedPage } from "./browser.ts";
import { SECRET, Site, VERIFY_TOKEN } from "./site.ts";

let site: Site;
let browser: Browser;
let open: WatchedPage;
let page: Page;

/** A command that waits until a test lets it go on, by creating the file `go`. */
const waitFor = (file: string) => `while [ ! -e ${JSON.stringify(file)} ]; do sleep 0.05; done`;
const go = () => `${site.workshop.path}/go`;

/** A proxy that serves the dashboard below a path. */
function openProxy(port: number, path: string) {
  const server = Bun.serve({
    hostname: "127.0.0.1",
    port: 0,
    idleTimeout: 0,
    fetch(request) {
      const { pathname, search } = new URL(request.url);
      if (!pathname.startsWith(path)) return new Response("not here", { status: 404 });
      const target = `http://127.0.0.1:${port}/${pathname.slice(path.length)}${search}`;
      return fetch(new Request(target, request), { decompress: false });
    },
  });
  return { port: server.port, [Symbol.dispose]: () => void server.stop(true) };
}

describe.skipIf(BROWSER === null)("the dashboard", () => {
  beforeAll(async () => {
    site = new Site();
    await site.start();
    browser = await openBrowser();
    open = await openPage(browser);
    page = open.page;
  });

  afterAll(async () => {
    await browser?.close();
    await site[Symbol.asyncDispose]();
  });

  const heading = (name: string) => page.getByRole("heading", { level: 1, name, exact: true });
  const main = () => page.getByRole("main");
  const show = (hash: string) => page.goto(site.url + hash);

  test("asks for the token, refuses a wrong one, and then shows the page that was asked for", async () => {
    await show("#/status");
    await page.getByLabel("Admin token").fill("not the token of this server");
    await page.getByRole("button", { name: "Log in" }).click();
    await page.getByText("This is not the admin token.").waitFor();
    await page.getByLabel("Your name").fill("Mona");
    await page.getByLabel("Admin token").fill(site.token);
    await page.keyboard.press("Enter");
    await heading("Status").waitFor();
    await page.getByText("/github-webhook").waitFor();
    const cookies = await page.context().cookies();
    expect(cookies).toMatchObject([
      { name: `hooklatch_session_${site.adminPort}`, httpOnly: true, sameSite: "Strict" },
    ]);
    expect(await page.evaluate("document.cookie")).toBe("");
    expect(page.url()).not.toContain(site.token);
    // The 401 of the wrong token.
    expect(open.problems.filter((problem) => !problem.includes("401"))).toEqual([]);
  });

  test("says what to do next where there is nothing", async () => {
    await show("#/deployments");
    await page.getByText("No deployment yet").waitFor();
    await show("#/deliveries");
    await page.getByText("No delivery yet").waitFor();
    await show("#/clients");
    await page.getByText("No client is authorised").waitFor();
    await show("#/refusals");
    await page.getByText("No request was refused").waitFor();
    await show("#/targets/blog");
    await page.getByText("Push to the branch, or press Deploy.").waitFor();
  });

  test("deploys a target by a button, and shows the output while it runs", async () => {
    site.commit("blog", "First page", { build: `echo before; ${waitFor(go())}; echo after` });
    await show("#/targets/blog");
    await page.getByRole("button", { name: "Deploy", exact: true }).click();
    await page.getByRole("dialog").getByRole("button", { name: "Deploy", exact: true }).click();
    await heading("Deployment 1").waitFor();
    await main().getByText("Running", { exact: true }).waitFor();
    const output = page.getByRole("region", { name: "Output" }).last();
    await output.getByText("before", { exact: true }).waitFor();
    expect(await output.getByText("after", { exact: true }).count()).toBe(0);
    site.workshop.write("go", "");
    await output.getByText("after", { exact: true }).waitFor();
    await main().getByText("Succeeded", { exact: true }).waitFor();
    await main().getByRole("button", { name: "npm run build" }).waitFor();
    await page.getByRole("status").getByText("Deployment 1 of blog succeeded.").waitFor();
    await show("#/");
    await page.getByRole("listitem").filter({ hasText: "octocat/blog" }).getByText("First page").waitFor();
  });

  test("shows a push without a reload, and why it failed", async () => {
    await show("#/");
    await heading("Overview").waitFor();
    site.commit("shop", "Take payments", { build: "echo price is not a number >&2; exit 3" });
    await site.push("shop");
    const failures = page.getByRole("region", { name: "Latest failures" });
    await failures.getByText('step "npm run build" exited with code 3').waitFor();
    await failures.getByRole("link", { name: "Take payments" }).click();
    await heading("Deployment 2").waitFor();
    await main().getByText("exit 3").waitFor();
    await main().getByText("A command of run or after failed.").waitFor();
  });

  test("cancels a running deployment", async () => {
    site.commit("api", "A long build", { build: "sleep 300" });
    const { deployments = [] } = await site.push("api");
    await show(`#/deployments/${deployments[0]?.id}`);
    await main().getByText("Running", { exact: true }).waitFor();
    await page.getByRole("button", { name: "Cancel", exact: true }).click();
    await page.getByRole("button", { name: "Cancel the deployment" }).click();
    await main().getByText("Cancelled", { exact: true }).waitFor();
    await main().getByText("cancelled by Mona").waitFor();
  });

  test("rolls back to an earlier release", async () => {
    await site.deploy("blog", "Second page");
    await show("#/targets/blog");
    const releases = page.getByRole("region", { name: "Releases on disk" });
    await releases
      .getByRole("listitem")
      .filter({ hasText: "Second page" })
      .getByText("Live", { exact: true })
      .waitFor();
    await releases.getByRole("button", { name: "Roll back to this" }).click();
    await page.getByRole("dialog").getByRole("button", { name: "Roll back", exact: true }).click();
    await page.getByRole("heading", { level: 1, name: /^Deployment \d+$/ }).waitFor();
    await main().getByText("Rollback").waitFor();
    await main().getByText("Succeeded", { exact: true }).waitFor();
    expect(readFileSync(`${site.workshop.path}/site/blog/current/index.html`, "utf8")).toBe("First page");
  });

  test("locks a target with a reason and a time, and unlocking deploys what was pushed meanwhile", async () => {
    await show("#/targets/docs");
    await page.getByRole("button", { name: "Lock", exact: true }).click();
    const dialog = page.getByRole("dialog");
    await dialog.getByLabel("Reason").fill("release freeze");
    await dialog.getByLabel("How long").selectOption({ label: "for 4 hours" });
    await dialog.getByRole("button", { name: "Lock", exact: true }).click();
    await main().getByText("release freeze").waitFor();
    await main().getByText("by Mona").waitFor();
    await main().getByText("in 4 h").waitFor();
    site.commit("docs", "Kept back");
    const { delivery } = await site.push("docs");
    await show(`#/deliveries/${delivery}`);
    await main().getByText("Not deployed", { exact: true }).waitFor();
    await main().locator("code", { hasText: "locked" }).waitFor();
    await show("#/targets/docs");
    await page.getByRole("button", { name: "Unlock" }).click();
    await page.getByRole("dialog").getByRole("button", { name: "Unlock" }).click();
    await page.getByRole("region", { name: "History" }).getByRole("link", { name: "Kept back" }).waitFor();
  });

  test("says why a push was not deployed, and replays it", async () => {
    const { delivery } = await site.push("blog", { ref: "refs/heads/draft" });
    await show("#/deliveries?status=skipped");
    const statuses = await page.getByLabel("Status").getByRole("option").allTextContents();
    expect(statuses).toEqual(["All", "Ping", "Accepted", "Held", "Skipped", "Success"]);
    const row = page.getByRole("listitem").filter({ hasText: `#${delivery}` });
    await row.getByText('not deployed, branch "draft" is not "main"').waitFor();
    await row.getByRole("link", { name: "Push from github" }).click();
    await heading(`Delivery ${delivery}`).waitFor();
    await main().getByText('branch "draft" is not "main"').waitFor();
    await main().getByText("octocat/blog", { exact: true }).waitFor();
    await main()
      .getByRole("button", { name: /^repository/ })
      .click();
    await main().getByText("full_name:").waitFor();
    await page.getByRole("button", { name: "Replay" }).click();
    await page.getByRole("dialog").getByRole("button", { name: "Replay" }).click();
    await main()
      .getByRole("link", { name: `delivery ${delivery}` })
      .waitFor();
    expect(page.url()).not.toEndWith(`/${delivery}`);
  });

  test("lists refused requests with what to do", async () => {
    await site.deliver("push", "{}", "a secret that the source does not have");
    await show("#/refusals");
    await main().getByText("What to do:").first().waitFor();
    await main().getByText("signature_mismatch").first().waitFor();
  });

  test("revokes a client", async () => {
    const token = encodeURIComponent(VERIFY_TOKEN);
    await show("#/clients");
    await fetch(new URL(`/webhook?verify_token=${token}`, site.server.url));
    await main().getByText("127.0.0.1").waitFor();
    await page.getByRole("button", { name: "Revoke" }).click();
    await page.getByRole("dialog").getByRole("button", { name: "Revoke" }).click();
    await page.getByText("No client is authorised").waitFor();
    const headers = { "content-type": "application/json" };
    const request = { method: "POST", headers, body: "{}" };
    const response = await fetch(new URL("/webhook", site.server.url), request);
    expect(response.status).toBe(401);
  });

  test("follows on after the server was restarted, without another login", async () => {
    await show("#/deployments");
    await heading("Deployments").waitFor();
    await page.getByText("Live", { exact: true }).waitFor();
    await site.stop();
    await page.getByText("Reconnecting", { exact: true }).waitFor();
    await site.start();
    await page.getByText("Live", { exact: true }).waitFor();
    await site.deploy("blog", "After the restart");
    // Catch-up may have deployed the commit before its push.
    await page.getByRole("link", { name: "After the restart" }).first().waitFor();
  });

  test("works below a path of a proxy", async () => {
    using proxy = openProxy(site.adminPort, "/tools/hooklatch/");
    const { page: other, problems } = await openPage(browser);
    const url = `http://127.0.0.1:${proxy.port}/tools/hooklatch/`;
    await site.logIn(other, "#/deployments/2", url);
    await other.getByRole("heading", { level: 1, name: "Deployment 2" }).waitFor();
    await other.getByText("price is not a number").waitFor();
    await other.getByText("Live", { exact: true }).waitFor();
    await other.getByRole("link", { name: "Overview" }).click();
    await other.getByRole("heading", { level: 1, name: "Overview" }).waitFor();
    expect(other.url()).toStartWith(url);
    expect(problems).toEqual([]);
    await other.context().close();
  });

  test("logs out in every tab, and the session is gone from the browser", async () => {
    const tab = await page.context().newPage();
    await tab.goto(site.url);
    await tab.getByText("Live", { exact: true }).first().waitFor();
    await page.getByRole("button", { name: "Log out" }).click();
    await page.getByLabel("Admin token").waitFor();
    await tab.getByLabel("Admin token").waitFor();
    await tab.close();
    expect(await page.context().cookies()).toEqual([]);
    await page.reload();
    await page.getByLabel("Admin token").waitFor();
  });

  test("ends every session when the token is replaced", async () => {
    await site.logIn(page, "#/status");
    site.workshop.write("data/secrets/admin.token", "another token of the administrators\n");
    await site.stop();
    await site.start();
    await page.getByLabel("Admin token").waitFor();
    await site.logIn(page);
    expect(SECRET).not.toBe(site.token);
  });

  test("is gone with `dashboard = false`", async () => {
    await site.stop();
    await site.start({ admin: "dashboard = false" });
    const response = await page.goto(site.url);
    expect(response?.status()).toBe(404);
  });
});
