import { createInterface } from "node:readline";
import { Writable } from "node:stream";
import { text } from "node:stream/consumers";
import type { ReadStream } from "node:tty";
import { AppError } from "../lib/errors.ts";

/**
 * Reads a secret without the newline at its end: all that a pipe holds, or a line that a person types twice, as it is
 * not shown. Rejects with a {@link AppError} `failed` when the two differ, or on Ctrl-C and Ctrl-D.
 *
 * @param prompt what a person is asked, on `errors`; a pipe is not asked.
 */
export async function readSecretInput(
  prompt: string,
  input: ReadStream,
  errors: NodeJS.WritableStream,
): Promise<string> {
  if (!input.isTTY) return (await text(input)).replace(/\r?\n$/, "");
  const typed = await ask(prompt, input, errors);
  if ((await ask("Once more: ", input, errors)) === typed) return typed;
  throw new AppError("failed", "what was typed the second time is not the same");
}

/** The line editor does the keys; what it would show goes nowhere. */
async function ask(prompt: string, input: ReadStream, errors: NodeJS.WritableStream): Promise<string> {
  const nowhere = new Writable({ write: (_chunk, _encoding, done) => done() });
  const editor = createInterface({ input, output: nowhere, terminal: true, historySize: 0 });
  errors.write(prompt);
  try {
    return await new Promise((resolve, reject) => {
      editor.once("line", resolve);
      editor.once("SIGINT", () => editor.close());
      editor.once("close", () => reject(new AppError("failed", "nothing was entered")));
    });
  } finally {
    editor.close();
    errors.write("\n");
  }
}
