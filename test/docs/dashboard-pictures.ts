import { Database } from "bun:sqlite";
import { join } from "node:path";
import type { Browser, BrowserContextOptions, Page } from "playwright-core";
import { openBrowser, openPage } from "../browser/browser.ts";
import { Site, VERIFY_TOKEN } from "../browser/site.ts";

/**
 * Takes the pictures of the dashboard for the README and docs/dashboard.md: a real server with real deployments, whose
 * times are then moved into the past. Needs chromium; with the fonts Inter and JetBrains Mono (Debian: fonts-inter and
 * fonts-jetbrains-mono) it looks as on a desktop.
 *
 *   npx bun@1.4.5 run docs:dashboard
 */

const IMAGES = join(import.meta.dir, "../../docs/images");

const HOUR = 3600_000;

const SERVER = 'public_url = "https://hooks.example.com"\ncatch_up_every = "off"';

const CI = "printf '\\033[32madded\\033[0m 214 packages in 3s\\n'; sleep 0.7";

const BUILD = `echo 'vite building for production...'; sleep 0.9
printf '\\033[32m✓\\033[0m 312 modules transformed.\\n'
printf '\\033[2mdist/\\033[0m\\033[36mindex.html  \\033[0m \\033[1m 0.46 kB\\033[0m\\n'
printf '\\033[2mdist/\\033[0m\\033[35massets/app.css\\033[0m \\033[1m12.10 kB\\033[0m\\n'
printf '\\033[2mdist/\\033[0m\\033[36massets/app.js \\033[0m \\033[1m84.32 kB\\033[0m\\n'
printf '\\033[32m✓ built in 1.42s\\033[0m\\n'`;

const FAILURE = `echo 'vite building for production...'; sleep 0.8
printf '\\033[31mx\\033[0m Build failed in 812ms\\n'
printf '\\033[31merror\\033[0m during build: src/basket.ts:42: \\033[1mprice\\033[0m is not a number\\n'; exit 1`;

const LONG = `for step in $(seq 60); do printf '\\033[36m[%s/90]\\033[0m compiling crate_%s\\n' $step $step; done
printf '\\033[33mwarning\\033[0m: unused variable: limit\\n'; printf '\\033[36m[61/90]\\033[0m compiling server\\n'; sleep 600`;

async function fill(site: Site): Promise<void> {
  const good = { ci: CI, build: BUILD };
  await site.deploy("blog", "Add the archive page", good);
  await site.deploy("docs", "Explain how releases are kept", good);
  await site.deploy("shop", "Show prices in the basket", good);
  await site.deploy("blog", "Fix the menu on narrow screens", good);
  await site.push("blog", { ref: "refs/heads/draft" });
  await site.deploy("blog", "Serve images as AVIF", good);
  await site.deploy("shop", "Take payments in euros", { ci: CI, build: FAILURE });
  await site.deploy("api", "Return 429 with Retry-After", good);
  await site.workshop.run([
    "target",
    "lock",
    "docs",
    "--reason",
    "release freeze",
    "--for",
    "4h",
    "--by",
    "mona",
  ]);
  site.commit("docs", "Describe the new API", good);
  await site.push("docs");
  await site.deliver("push", "{}", "a secret that the source does not have");
  await fetch(new URL(`/webhook?verify_token=${encodeURIComponent(VERIFY_TOKEN)}`, site.server.url));
}

/** Moves the times of what is stored into the past, the older the further. */
function age(file: string): void {
  const database = new Database(file);
  const moves = [
    ["deployment", ["created_at", "started_at", "ended_at"], "id"],
    ["delivery", ["received_at"], "id"],
  ] as const;
  for (const [table, columns, id] of moves) {
    const rows = database
      .query<{ id: number }, []>(`SELECT ${id} AS id FROM ${table} ORDER BY ${id} DESC`)
      .all();
    for (const [position, row] of rows.entries()) {
      const past = Math.round(HOUR * (0.2 + position ** 2 * 0.9));
      const changes = columns.map((column) => `${column} = ${column} - ${past}`).join(", ");
      database.run(`UPDATE ${table} SET ${changes} WHERE ${id} = ${row.id}`);
    }
  }
  database.run(`UPDATE live SET since = (
    SELECT max(ended_at) FROM deployment WHERE deployment.target = live.target AND state = 'succeeded')`);
  database.close();
}

interface Picture {
  readonly name: string;
  readonly address: string;
  readonly options: BrowserContextOptions;
  readonly prepare?: (page: Page) => Promise<void>;
}

const LIGHT = { viewport: { width: 1280, height: 620 } };
const DARK = { ...LIGHT, colorScheme: "dark" as const };
const PHONE = { viewport: { width: 390, height: 780 }, deviceScaleFactor: 2, isMobile: true, hasTouch: true };

async function take(
  browser: Browser,
  site: Site,
  { name, address, options, prepare }: Picture,
): Promise<void> {
  const { page } = await openPage(browser, options);
  // Temporary directories differ from run to run.
  await page.route(/\/api\/(?!events|session|deployments\/\d+\/log)/, async (route) => {
    const response = await route.fetch();
    await route.fulfill({ response, body: (await response.text()).replaceAll(site.workshop.path, "/srv") });
  });
  await site.logIn(page, address);
  await page.getByRole("heading", { level: 1 }).waitFor();
  await page.locator(".skeleton").first().waitFor({ state: "detached" });
  await page.getByText("Live", { exact: true }).first().waitFor();
  await prepare?.(page);
  await page.mouse.move(0, 0);
  await page.waitForTimeout(400);
  await page.screenshot({ path: join(IMAGES, `dashboard-${name}.png`) });
  await page.context().close();
}

/** The address, as it is in the text of a page, of what a person would look for. */
async function takeAll(site: Site, browser: Browser, running: number): Promise<void> {
  const pictures: readonly Picture[] = [
    { name: "overview", address: "#/", options: LIGHT },
    { name: "target", address: "#/targets/blog", options: DARK },
    { name: "failure", address: "#/deployments/6", options: LIGHT },
    { name: "running", address: `#/deployments/${running}`, options: DARK },
    { name: "deliveries", address: "#/deliveries", options: LIGHT },
    { name: "phone", address: "#/", options: PHONE },
    { name: "phone-dark", address: "#/deployments/6", options: { ...PHONE, colorScheme: "dark" } },
  ];
  for (const picture of pictures) await take(browser, site, picture);
}

// Short paths in the output of git.
process.env.TMPDIR = "/tmp";
const site = new Site();
const browser = await openBrowser({ FONTCONFIG_FILE: writeFonts(site) });
try {
  await site.start({ server: SERVER });
  await fill(site);
  await site.stop();
  age(join(site.workshop.path, "data/hooklatch.db"));
  await site.start({ server: SERVER });
  // Until the server has asked for the tips of the branches: it would deploy this commit before its push.
  await Bun.sleep(3_000);
  site.commit("api", "Raise the limit for partners", { ci: CI, build: LONG });
  const { deployments = [] } = await site.push("api");
  await site.server.until(() => site.server.stderr.includes("deployment started"));
  await takeAll(site, browser, deployments[0]?.id ?? 0);
} finally {
  await browser.close();
  await site[Symbol.asyncDispose]();
}

/** Makes the fonts of the system those of a desktop, where they are installed. */
function writeFonts(site: Site): string {
  const prefer = (alias: string, family: string) =>
    `<match target="pattern"><test name="family"><string>${alias}</string></test><edit name="family" mode="prepend" binding="strong"><string>${family}</string></edit></match>`;
  return site.workshop.write(
    "fonts.conf",
    `<?xml version="1.0"?><!DOCTYPE fontconfig SYSTEM "fonts.dtd"><fontconfig><include>/etc/fonts/fonts.conf</include>
${["system-ui", "sans-serif", "sans", "DejaVu Sans"].map((name) => prefer(name, "Inter")).join("")}${prefer("ui-monospace", "JetBrains Mono")}${prefer("monospace", "JetBrains Mono")}</fontconfig>`,
  );
}
