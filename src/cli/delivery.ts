import { Command, InvalidArgumentError } from "commander";
import { parseDeliveryId } from "../domain/delivery.ts";
import { ADMIN_URL_OPTION, type AdminOptions, askAdmin } from "./admin-client.ts";
import { CONFIG_OPTION } from "./configuration.ts";
import { EXIT, type Finish, type Terminal } from "./terminal.ts";

/** `hooklatch delivery replay`: runs a kept delivery again. */
export function delivery(terminal: Terminal, finish: Finish): Command {
  const replay = new Command("replay")
    .description(
      "read and match a kept delivery again, as today's configuration says, and run what it asks for",
    )
    .argument("<id>", "the delivery's number", readId)
    .option(...CONFIG_OPTION)
    .option(...ADMIN_URL_OPTION)
    .action(async (id: number, options: AdminOptions) => {
      const answer = await askAdmin("POST", `/api/deliveries/${id}/replay`, options, terminal);
      terminal.out(`${answer.code} ${answer.text}\n`);
      if (answer.code >= 300) finish(EXIT.failed);
    });
  return new Command("delivery").description("work with the deliveries that are kept").addCommand(replay);
}

function readId(text: string): number {
  const id = parseDeliveryId(text);
  if (id !== null) return id;
  throw new InvalidArgumentError("expected a whole number from 1.");
}
