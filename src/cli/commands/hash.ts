import { Command } from "commander";
import { AppError } from "../../lib/errors.ts";
import { hashPassword } from "../../providers/password.ts";
import type { Terminal } from "../terminal.ts";

/** OWASP ASVS 5.0, 6.2.1: at least eight characters, and fifteen are recommended. */
const FEWEST_CHARACTERS = 15;

const EXPLANATION = `
The password is read from standard input, never from the command line, where other users of this
machine could see it. Keep the hash in a file and name that in the configuration:

  hooklatch hash > /etc/hooklatch/ada.hash

  [[source]]
  provider = "generic"
  basic = [{ user = "ada", hash = "file:/etc/hooklatch/ada.hash" }]`;

/** `hooklatch hash`: turns a password into the argon2id hash that a source's `basic` takes. */
export function hash(terminal: Terminal): Command {
  return (
    new Command("hash")
      .description("turn a password, read from standard input, into a hash for a source's basic users")
      .addHelpText("after", EXPLANATION)
      // Refused below, in words that do not repeat it.
      .allowExcessArguments()
      .action(async (_options: unknown, { args }: Command) => {
        if (args.length > 0)
          throw new AppError("configuration", "the password is read from standard input only");
        const password = await terminal.readSecret("Password (not shown): ");
        checkPassword(password);
        const characters = [...password].length;
        if (characters < FEWEST_CHARACTERS) {
          terminal.err(
            `hooklatch: the password has ${characters} of the ${FEWEST_CHARACTERS} characters that make it hard to guess\n`,
          );
        }
        terminal.out(`${await hashPassword(password)}\n`);
      })
  );
}

function checkPassword(password: string): void {
  if (password === "") throw new AppError("configuration", "the password is empty: type one, or pipe one in");
  // RFC 7617, section 2: no sender could show it.
  if (/\p{Cc}/u.test(password)) {
    throw new AppError("configuration", "the password has more than one line, or control characters in it");
  }
}
