import { createInterface } from "node:readline";
import { Writable } from "node:stream";
import { text } from "node:stream/consumers";
import type { ReadStream } from "node:tty";
import { AppError } from "../lib/errors.ts";

/**
 * Reads a secret without the newline at its end: everything from a pipe, or a line that a person types twice in a
 * terminal, which does not show it. Rejects with an {@link AppError} `failed` if the lines differ, or on Ctrl-C and
 * Ctrl-D.
 */
export async function readSecretInput(
  prompt: string,
  input: ReadStream,
  errors: NodeJS.WritableStream,
): Promise<string> {
  if (!input.isTTY) return (await text(input)).replace(/\r?\n$/, "");
  const typed = await readHiddenLine(prompt, input, errors);
  if ((await readHiddenLine("Repeat: ", input, errors)) === typed) return typed;
  throw new AppError("failed", "the two entries differ");
}

/** The line editor handles the keys; its echo is dropped. */
async function readHiddenLine(
  prompt: string,
  input: ReadStream,
  errors: NodeJS.WritableStream,
): Promise<string> {
  const output = new Writable({ write: (_chunk, _encoding, done) => done() });
  const editor = createInterface({ input, output, terminal: true, historySize: 0 });
  errors.write(prompt);
  try {
    return await new Promise((resolve, reject) => {
      editor.once("line", resolve);
      editor.once("SIGINT", () => editor.close());
      editor.once("close", () => reject(new AppError("failed", "cancelled: no secret was entered")));
    });
  } finally {
    editor.close();
    errors.write("\n");
  }
}
