import { systemErrorCode } from "../lib/errors.ts";
import { spawnProcess } from "../runtime/index.ts";
import type { Terminal } from "./terminal.ts";

/** The program that opens an address with the user's browser, where a desktop is likely to be. */
function findOpener({ env, isTty }: Terminal): string | null {
  if (!isTty.stdout || env.SSH_CONNECTION !== undefined) return null;
  if (process.platform === "darwin") return "open";
  return env.DISPLAY || env.WAYLAND_DISPLAY ? "xdg-open" : null;
}

/** Opens an address in the user's browser. Resolves with whether it did; false without a desktop. */
export async function openInBrowser(url: string, terminal: Terminal): Promise<boolean> {
  const opener = findOpener(terminal);
  if (opener === null) return false;
  const env = Object.fromEntries(
    Object.entries(terminal.env).flatMap(([name, value]) => (value === undefined ? [] : [[name, value]])),
  );
  try {
    const child = spawnProcess([opener, url], { cwd: terminal.cwd, env });
    await child.stdout.cancel();
    return (await child.exited).exitCode === 0;
  } catch (error) {
    if (systemErrorCode(error) === "ENOENT") return false;
    throw error;
  }
}
