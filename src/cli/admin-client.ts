import { Fault } from "../domain/fault.ts";
import { readConfiguration } from "./configuration.ts";
import { localOrigin } from "./local-origin.ts";
import { type Answer, ask } from "./post.ts";
import type { Terminal } from "./terminal.ts";

/** Where the admin listener is, as the options of a command tell it. */
export interface AdminOptions {
  readonly config?: string;
  readonly adminUrl?: string;
}

/** The words of `--admin-url`, the same on every command that has it. */
export const ADMIN_URL_OPTION = [
  "--admin-url <url>",
  "another machine's admin listener; its token is $HOOKLATCH_ADMIN_TOKEN",
] as const;

/**
 * Asks a running server's admin listener, found through the same configuration as the server's.
 * Throws a {@link Fault} when it cannot be reached or the token is not known.
 */
export async function askAdmin(
  method: string,
  path: string,
  options: AdminOptions,
  terminal: Terminal,
): Promise<Answer> {
  const { url, token } = findAdmin(options, terminal);
  const headers = new Headers({ authorization: `Bearer ${token}` });
  return ask(new URL(path, url).href, method, { headers });
}

function findAdmin(
  { config: file, adminUrl }: AdminOptions,
  terminal: Terminal,
): { url: string; token: string } {
  const fromEnvironment = terminal.env.HOOKLATCH_ADMIN_TOKEN;
  if (adminUrl !== undefined) {
    if (fromEnvironment) return { url: adminUrl, token: fromEnvironment };
    throw new Fault("configuration", "--admin-url needs the token of that server in $HOOKLATCH_ADMIN_TOKEN");
  }
  const { config } = readConfiguration(file, terminal);
  const { token } = config.admin;
  if (token.loaded) return { url: localOrigin("http", config.admin), token: token.reveal() };
  throw new Fault(
    "failed",
    `there is no admin token yet in ${config.dataDir}: is the server running with this configuration?`,
  );
}
