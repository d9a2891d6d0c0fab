import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import type { Browser, Page } from "playwright-core";
import { ADMIN_TOKEN, type Member, TestFleet } from "../support/fleet.ts";
import { type Cluster, HAS_POSTGRES, startCluster } from "../support/postgres.ts";
import { BROWSER, openBrowser, openPage, type WatchedPage } from "./browser.ts";

let cluster: Cluster;
let fleet: TestFleet;
let gate: Member;
let browser: Browser;
let open: WatchedPage;
let page: Page;

describe.skipIf(BROWSER === null || !HAS_POSTGRES)("the dashboard of one of several hosts", () => {
  beforeAll(async () => {
    cluster = await startCluster();
    fleet = new TestFleet(await cluster.createDatabase());
    fleet.repository.commit({ "index.html": "first\n" });
    const tables = (name: string) =>
      fleet.describeTarget(name, 'hosts = ["web-1", "web-2"]\nrollout = "one-by-one"');
    gate = await fleet.add("gate", tables("gate")).start();
    for (const name of ["web-1", "web-2"]) await fleet.add(name, tables(name)).start();
    browser = await openBrowser();
    open = await openPage(browser);
    page = open.page;
  }, 120_000);

  afterAll(async () => {
    await browser?.close();
    await fleet?.dispose();
    await cluster?.stop();
  });

  const show = (hash: string) => page.goto(`${gate.adminUrl}${hash}`);

  test("shows the hosts, drains one, and says what waits for it", async () => {
    await show("#/status");
    await page.getByLabel("Admin token").fill(ADMIN_TOKEN);
    await page.getByRole("button", { name: "Log in" }).click();
    const row = page.getByRole("listitem").filter({ hasText: "web-2" });
    await row.getByText("Up").waitFor();
    await row.getByRole("button", { name: "Drain" }).click();
    await page.getByRole("dialog").getByRole("button", { name: "Drain" }).click();
    await row.getByText("Drained").waitFor();

    const { body } = await gate.push();
    const [first = 0, second = 0] = (body.deployments ?? []).map(({ id }) => id);
    await gate.untilState(first, "succeeded");
    await show(`#/deployments/${second}`);
    await page.getByText("host web-2 is drained").waitFor();
    await show("#/deployments");
    for (const host of ["web-1", "web-2"]) {
      await page.getByRole("listitem").getByText(host, { exact: true }).waitFor();
    }
    await page.getByLabel("Host").selectOption("web-1");
    await page.getByRole("listitem").getByText("web-2", { exact: true }).waitFor({ state: "detached" });

    await show("#/targets/blog");
    const waiting = page.getByRole("listitem").filter({ hasText: `Deployment ${second} waits` });
    await waiting.getByText("Drained").waitFor();
    await show("#/status");
    await page
      .getByRole("listitem")
      .filter({ hasText: "web-2" })
      .getByRole("button", { name: "Resume" })
      .click();
    await page.getByRole("dialog").getByRole("button", { name: "Resume" }).click();
    expect(await gate.untilState(second, "succeeded")).toMatchObject({ host: "web-2" });
    expect(open.problems).toEqual([]);
  }, 120_000);
});
