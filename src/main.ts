import { constants } from "node:os";
import { run } from "./cli/index.ts";
import { createBufferedWriter } from "./cli/output/buffered-writer.ts";
import { readSecretInput } from "./cli/secret-input.ts";
import { systemClock } from "./lib/clock.ts";

// Whoever read our output may be gone (`hooklatch demo | head`): that is no fault, and a server goes on.
for (const stream of [process.stdout, process.stderr]) stream.on("error", () => {});

const log = createBufferedWriter((lines) => void process.stderr.write(lines));

function writeError(text: string): void {
  log.flush();
  process.stderr.write(text);
}

// While the line below waits, the runtime prints an uncaught exception and hangs: a supervisor could not restart us.
process.on("uncaughtException", (error) => {
  writeError(`hooklatch: ${error.message} (a fault of hooklatch)\n`);
  process.exit(1);
});

process.exitCode = await run(process.argv.slice(2), {
  env: process.env,
  cwd: process.cwd(),
  clock: systemClock,
  isTty: { stdout: process.stdout.isTTY === true, stderr: process.stderr.isTTY === true },
  get columns() {
    return process.stdout.columns;
  },
  out: (text) => void process.stdout.write(text),
  err: writeError,
  log: log.add,
  readSecret: (prompt) => readSecretInput(prompt, process.stdin, process.stderr),
  onHangUp: (listener) => {
    if (!process.stdin.isTTY) process.on("SIGHUP", listener);
  },
  untilStopped: () =>
    new Promise((resolve) => {
      let asked = false;
      // A closed terminal ends what runs in it, but not what `nohup` took out of it.
      const hangUp = process.stdin.isTTY ? (["SIGHUP"] as const) : [];
      for (const signal of ["SIGINT", "SIGTERM", ...hangUp] as const) {
        process.on(signal, () => {
          if (asked) {
            log.flush();
            process.exit(128 + constants.signals[signal]);
          }
          asked = true;
          resolve();
        });
      }
    }),
});
