import { constants } from "node:os";
import { run } from "./cli/index.ts";
import { createBufferedWriter } from "./cli/output/buffered-writer.ts";
import { systemClock } from "./lib/clock.ts";

// The reader of a pipe may exit first (`hooklatch demo | head`). That is not an error, and a server continues.
for (const stream of [process.stdout, process.stderr]) stream.on("error", () => {});

/** Whether SIGHUP means that the terminal was closed: always on Windows, which then ends the program. */
const isHangUp = process.stdin.isTTY || process.platform === "win32";

const log = createBufferedWriter((lines) => void process.stderr.write(lines));

function writeError(text: string): void {
  log.flush();
  process.stderr.write(text);
}

// While `run` is pending, the runtime prints an uncaught exception and hangs, so a supervisor could not restart it.
process.on("uncaughtException", (error) => {
  writeError(`hooklatch: ${error.message} (internal error)\n`);
  process.exit(1);
});

process.exitCode = await run(process.argv.slice(2), {
  env: process.env,
  cwd: process.cwd(),
  clock: systemClock,
  // A compiled program has its modules in a file system of its own.
  executable: import.meta.url.includes("/$bunfs/") ? process.execPath : null,
  isTty: { stdout: process.stdout.isTTY === true, stderr: process.stderr.isTTY === true },
  get columns() {
    return process.stdout.columns;
  },
  out: (text) => void process.stdout.write(text),
  err: writeError,
  log: log.add,
  async readSecret(prompt) {
    const { readSecretInput } = await import("./cli/secret-input.ts");
    return readSecretInput(prompt, process.stdin, process.stderr);
  },
  onHangUp: (listener) => {
    if (!isHangUp) process.on("SIGHUP", listener);
  },
  abort() {
    log.flush();
    process.exit(1);
  },
  untilStopped: () =>
    new Promise((resolve) => {
      let isStopping = false;
      // A closed terminal ends the program, unless `nohup` started it.
      const hangUp = isHangUp ? (["SIGHUP"] as const) : [];
      for (const signal of ["SIGINT", "SIGTERM", ...hangUp] as const) {
        process.on(signal, () => {
          if (isStopping) {
            log.flush();
            process.exit(128 + constants.signals[signal]);
          }
          isStopping = true;
          resolve();
        });
      }
    }),
});
