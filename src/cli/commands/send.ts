import { randomBytes, randomUUID } from "node:crypto";
import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import { Command, Option } from "commander";
import { describeReadError } from "../../config/read/toml.ts";
import { readRemoteTip } from "../../deploy/git/ls-remote.ts";
import { runProcess } from "../../deploy/process/process.ts";
import type { SampleRequest } from "../../domain/provider.ts";
import type { Target } from "../../domain/target.ts";
import { AppError } from "../../lib/errors.ts";
import { providers } from "../../providers/index.ts";
import { greet, post } from "../api/post.ts";
import { checkDeliveryId, checkFullCommit } from "../arguments.ts";
import { CONFIG_OPTION } from "../configuration.ts";
import { makeTextPrintable } from "../output/sanitise.ts";
import { EXIT, type Finish, type Terminal } from "../terminal.ts";
import { findSendDestination, type SendDestinationOptions } from "./send-destination.ts";

interface SendOptions extends SendDestinationOptions {
  readonly form: boolean;
  readonly payload?: string;
  readonly deliveryId?: string;
  readonly insecure: boolean;
  readonly branch?: string;
  readonly commit?: string;
  readonly before?: string;
  readonly deleted?: boolean;
}

const NO_COMMIT = "0".repeat(40);

/** `hooklatch send ping|push`: signs a delivery as the provider would and sends it to a running server. */
export function send(terminal: Terminal, finish: Finish): Command {
  const ping = new Command("ping").description("what a forge sends when a webhook is made");
  const push = new Command("push")
    .description("what a forge sends when commits arrive")
    .option("--branch <name>", "the branch (default: the target's, or main)")
    .addOption(new Option("--tag <name>", "a tag instead of a branch").conflicts("branch"))
    .option(
      "--commit <id>",
      "the pushed commit (default: the tip where a target tells it, else made up)",
      checkFullCommit,
    )
    .option("--before <id>", "what it was before (default: made up)", checkFullCommit)
    .addOption(new Option("--deleted", "the branch or tag was deleted").conflicts("commit"));
  const command = new Command("send").description(
    "sign a delivery as the provider would and send it to a running server",
  );
  for (const kind of [ping, push]) {
    addSharedOptions(kind).action(async (options: SendOptions) => {
      const { url, dialect, target, isOurs } = findSendDestination(options, terminal);
      const message = await write(kind.name(), options, target, terminal);
      // The certificate names the public host, and on this machine there is nobody in between.
      const insecure = options.insecure || isOurs;
      const greeting = await greet(url, dialect, insecure);
      const isAdmitted = greeting === null || greeting.code === 200;
      const answer = isAdmitted ? await post(url, dialect, message, insecure) : greeting;
      terminal.out(`${answer.code} ${makeTextPrintable(answer.text)}\n`);
      finish(answer.code >= 200 && answer.code < 300 ? EXIT.done : EXIT.failed);
    });
    command.addCommand(kind);
  }
  return command;
}

function addSharedOptions(command: Command): Command {
  const names = providers.map(({ name }) => name);
  return command
    .option(...CONFIG_OPTION)
    .option("--source <name>", "the source to send to (default: the first one of the provider)")
    .option("--url <url>", "where to send it (default: the source's path on this machine)")
    .option("--secret <secret>", "env:NAME, file:PATH or the secret itself (default: the source's)")
    .addOption(new Option("--provider <name>", "whose dialect to speak").choices(names).default(names[0]))
    .option("--repository <owner/name>", "the repository (default: that of a target)")
    .option("--form", "as a form, the default of GitHub's own webhooks", false)
    .option("--payload <file>", "send this file's JSON, byte for byte")
    .option("--delivery-id <id>", "the delivery's id (default: a fresh one)", checkDeliveryId)
    .option("--insecure", "do not verify the server's certificate", false);
}

async function write(
  event: string,
  options: SendOptions,
  target: Target | undefined,
  terminal: Terminal,
): Promise<SampleRequest> {
  const { deliveryId = randomUUID(), form } = options;
  if (options.payload !== undefined) {
    return {
      kind: "payload",
      event,
      deliveryId,
      form,
      json: readPayload(resolve(terminal.cwd, options.payload)),
    };
  }
  const repository = options.repository ?? target?.repository?.fullName ?? "octocat/blog";
  if (event === "ping") return { kind: "ping", deliveryId, form, repository };
  const watched = target?.repository?.ref;
  const branch = options.branch ?? (watched?.kind === "branch" ? watched.name : "main");
  const ref = options.tag === undefined ? `refs/heads/${branch}` : `refs/tags/${options.tag}`;
  const after = options.deleted
    ? NO_COMMIT
    : (options.commit ?? (await findTip(target, repository, ref, terminal)));
  return { kind: "push", deliveryId, form, repository, ref, before: options.before ?? makeUpCommit(), after };
}

/** The tip that the target would deploy, so that the server need not wait for a commit that does not exist. */
async function findTip(
  target: Target | undefined,
  repository: string,
  ref: string,
  terminal: Terminal,
): Promise<string> {
  const watch = target?.repository;
  const isWatched =
    watch?.ref.kind === "branch" &&
    watch.fullName.toLowerCase() === repository.toLowerCase() &&
    ref === `refs/heads/${watch.ref.name}`;
  if (target === undefined || !isWatched) return makeUpCommit();
  const tip = await readRemoteTip(target, { run: runProcess, env: terminal.env });
  return tip.kind === "found" ? tip.commit : makeUpCommit();
}

function makeUpCommit(): string {
  return randomBytes(20).toString("hex");
}

function readPayload(file: string): Uint8Array {
  try {
    return readFileSync(file);
  } catch (error) {
    const why = describeReadError(error);
    throw new AppError("failed", `--payload: ${file} ${why}: name a file with the JSON to send`, error);
  }
}
