import { Command } from "commander";
import { AppError } from "../../lib/errors.ts";
import { hashPassword } from "../../providers/password.ts";
import { withExamples } from "../options.ts";
import type { Terminal } from "../terminal.ts";

/** OWASP ASVS 5.0, 6.2.1: at least eight characters, and fifteen are recommended. */
const RECOMMENDED_LENGTH = 15;

const EXPLANATION = `
The password is never an argument, because other users of this machine could see
it. Write the hash to a file, and name the file in the configuration:

  [[source]]
  provider = "generic"
  basic = [{ user = "ada", hash = "file:/etc/hooklatch/ada.hash" }]`;

/** `hooklatch hash`: prints the argon2id hash of a password for the `basic` setting of a source. */
export function hash(terminal: Terminal): Command {
  const command = new Command("hash")
    .description("hash a password from standard input for a source with `basic` users")
    .addHelpText("after", EXPLANATION)
    // The action rejects arguments without repeating them.
    .allowExcessArguments()
    .action(async (_options: unknown, { args }: Command) => {
      if (args.length > 0) throw new AppError("configuration", "pass the password on standard input only");
      const password = await terminal.readSecret("Password (not shown): ");
      checkPassword(password);
      const { length } = [...password];
      if (length < RECOMMENDED_LENGTH) {
        const advice = `use at least ${RECOMMENDED_LENGTH}`;
        terminal.err(`hooklatch: the password has only ${length} characters; ${advice}\n`);
      }
      terminal.out(`${await hashPassword(password)}\n`);
    });
  return withExamples(command, "hooklatch hash > /etc/hooklatch/ada.hash");
}

function checkPassword(password: string): void {
  if (password === "") throw new AppError("configuration", "the password is empty: type one, or pipe one in");
  // RFC 7617, section 2, does not allow control characters.
  if (/\p{Cc}/u.test(password)) {
    throw new AppError(
      "configuration",
      "the password has several lines, or control characters: enter one line",
    );
  }
}
