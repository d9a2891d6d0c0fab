import { existsSync } from "node:fs";
import { delimiter, join } from "node:path";
import { type Browser, type BrowserContextOptions, chromium, type Page } from "playwright-core";

/** Names of programs that playwright-core can drive. */
const PROGRAMS = ["chromium", "chromium-browser", "google-chrome"];

/** The path of an installed browser; null without one. */
export const BROWSER = findBrowser();

function findBrowser(): string | null {
  const directories = (process.env.PATH ?? "").split(delimiter);
  const candidates = PROGRAMS.flatMap((name) => directories.map((directory) => join(directory, name)));
  return candidates.find((path) => existsSync(path)) ?? null;
}

if (BROWSER === null) {
  console.warn("The browser tests are skipped: install chromium (Debian: apt-get install chromium).");
}

/** Starts the browser without a window. The page is of this machine, so the sandbox, which root cannot use, is off. */
export async function openBrowser(env: Readonly<Record<string, string>> = {}): Promise<Browser> {
  if (BROWSER === null) throw new Error("no browser is installed");
  return chromium.launch({
    executablePath: BROWSER,
    env: { ...process.env, ...env } as Record<string, string>,
    args: ["--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu", "--font-render-hinting=none"],
  });
}

/** A page with everything that went wrong in it: exceptions, console errors, and violations of its CSP. */
export interface WatchedPage {
  readonly page: Page;
  readonly problems: readonly string[];
}

/** Opens a page with a session of its own. */
export async function openPage(browser: Browser, options: BrowserContextOptions = {}): Promise<WatchedPage> {
  const context = await browser.newContext({
    viewport: { width: 1280, height: 860 },
    locale: "en-GB",
    ...options,
  });
  const page = await context.newPage();
  page.setDefaultTimeout(40_000);
  const problems: string[] = [];
  page.on("pageerror", (error) => problems.push(String(error)));
  page.on("console", (message) => {
    if (message.type() === "error") problems.push(message.text());
  });
  page.on("dialog", (dialog) => {
    problems.push(`dialog: ${dialog.message()}`);
    void dialog.dismiss();
  });
  return { page, problems };
}
