import { run } from "./cli/index.ts";

process.exitCode = await run(process.argv.slice(2), {
  env: process.env,
  cwd: process.cwd(),
  isTty: { stdout: process.stdout.isTTY === true, stderr: process.stderr.isTTY === true },
  out: (text) => void process.stdout.write(text),
  err: (text) => void process.stderr.write(text),
  untilStopped: () =>
    new Promise((resolve) => {
      let asked = false;
      for (const [signal, number] of [
        ["SIGINT", 2],
        ["SIGTERM", 15],
      ] as const) {
        process.on(signal, () => {
          if (asked) process.exit(128 + number);
          asked = true;
          resolve();
        });
      }
    }),
});
