import { Command } from "commander";
import { AppError } from "../../lib/errors.ts";
import { startStoreThread } from "../../store/thread/index.ts";
import { CONFIG_OPTION, withExamples } from "../options.ts";
import type { Terminal } from "../terminal.ts";

/** `hooklatch serve`: runs the server until SIGINT or SIGTERM. */
export function serve(terminal: Terminal): Command {
  const command = new Command("serve")
    .description("run the server (also what a bare `hooklatch` does)")
    .option(...CONFIG_OPTION);
  command.action(async () => {
    const options = command.optsWithGlobals<{ config?: string; debug?: boolean }>();
    refuseDebugger(terminal.env);
    // First, so that the thread loads its modules while this one loads those of the server.
    const storeThread = startStoreThread();
    try {
      const { runServer } = await import("../server.ts");
      await runServer(options, terminal, storeThread);
    } finally {
      storeThread.end();
    }
  });
  return withExamples(command, "hooklatch serve --config /etc/hooklatch/hooklatch.toml");
}

/** Variables with which Bun opens a debugger, or connects to one, in every program that is made with it. */
const DEBUGGER_VARIABLES = ["BUN_INSPECT", "BUN_INSPECT_CONNECT_TO"];

/** Throws an {@link AppError} when a debugger is open, because everyone who can reach it can run code in the server. */
function refuseDebugger(env: Terminal["env"]): void {
  const variable = DEBUGGER_VARIABLES.find((name) => (env[name] ?? "") !== "");
  if (variable === undefined) return;
  throw new AppError(
    "configuration",
    `$${variable} opens a debugger, through which others can run code in the server: unset it`,
  );
}
