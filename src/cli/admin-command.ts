import type { Static, TSchema } from "@sinclair/typebox";
import { type Command, Option } from "commander";
import { ApiPage } from "../api/page.ts";
import { toOneLineJson } from "../lib/text.ts";
import {
  type Admin,
  type AdminOptions,
  type AdminRequest,
  type AdminResponse,
  findAdmin,
  type Page,
  readAdmin,
  readAllPages,
} from "./api/client.ts";
import { explainUnknownHost, explainUnknownSource, explainUnknownTarget } from "./api/unknown-name.ts";
import { parseId, parseLimit } from "./arguments.ts";
import { CONFIG_OPTION } from "./options.ts";
import { makePrintable } from "./output/sanitise.ts";
import { createStyle, type Style } from "./output/style.ts";
import { type Column, formatTable } from "./output/table.ts";
import type { Terminal } from "./terminal.ts";

/** Adds the options that locate the admin listener. */
export function withAdminUrl(command: Command): Command {
  return command
    .option(...CONFIG_OPTION)
    .option("--admin-url <url>", "admin listener of another machine; its token is $HOOKLATCH_ADMIN_TOKEN");
}

/** Adds the options of a command that prints a response of the admin API. */
export function withAdminOptions(command: Command): Command {
  return withAdminUrl(command.option("--json", "print the response of the admin API as one line of JSON"));
}

/** Prints a response: as JSON with `--json`, else as text. */
export function printResponse<Value>(
  { value, json }: AdminResponse<Value>,
  options: AdminOptions,
  terminal: Terminal,
  format: (value: Value, style: Style) => string,
): void {
  // The response may come from anything at that address, and may not be JSON.
  const text = options.json
    ? `${makePrintable(toOneLineJson(json))}\n`
    : format(value, createStyle(terminal));
  terminal.out(text);
}

/** A command that prints a list of the admin API. */
export interface ListCommand<Item extends TSchema> {
  /** Such as `/api/deliveries`. */
  readonly path: string;
  readonly item: Item;
  readonly columns: (style: Style, items: readonly Static<Item>[]) => readonly Column<Static<Item>>[];
  /** The rows of the table; by default one for each item. */
  readonly toRows?: (items: readonly Static<Item>[], options: ListOptions) => readonly Static<Item>[];
  /** The message for an empty list without filters. */
  readonly emptyMessage: string;
  /** Options that are query parameters of the same name. */
  readonly filters: readonly string[];
  /** Whether the command prints all pages, and has no options that choose one. */
  readonly allPages?: boolean;
}

/** The options of a list: those of every list, and its filters. */
export interface ListOptions extends AdminOptions {
  readonly limit?: number;
  readonly before?: number;
  readonly [filter: string]: unknown;
}

/** Makes a command print a list, see {@link printList}. */
export function listCommand<Item extends TSchema>(
  command: Command,
  list: ListCommand<Item>,
  terminal: Terminal,
): Command {
  const complete = list.allPages === true ? withAdminOptions(command) : withListOptions(command);
  return complete.action((options: ListOptions) => printList(list, options, terminal));
}

/** Adds the options that choose a page, and those of {@link withAdminOptions}. */
export function withListOptions(command: Command): Command {
  command
    .addOption(
      new Option("--limit <number>", "items to print, at most 500 (default: 50)").argParser(parseLimit),
    )
    .addOption(new Option("--before <id>", "print only items older than this one").argParser(parseId));
  return withAdminOptions(command);
}

/**
 * Prints a list as a table on standard output. Messages, such as that the list is empty, go to standard error.
 */
export async function printList<Item extends TSchema>(
  {
    path,
    item,
    columns,
    toRows = (items) => items,
    emptyMessage,
    filters,
    allPages = false,
  }: ListCommand<Item>,
  options: ListOptions,
  terminal: Terminal,
): Promise<void> {
  const { limit, before } = options;
  const filtered = filters.flatMap((name) =>
    options[name] === undefined ? [] : [[name, String(options[name])] as const],
  );
  const request: AdminRequest = { path, query: { ...Object.fromEntries(filtered), limit, before } };
  const admin = findAdmin(options, terminal);
  const response: AdminResponse<Page<Static<Item>>> = allPages
    ? await readAllPages(item, admin, request)
    : await readAdmin(ApiPage(item), admin, request);
  printResponse(response, options, terminal, ({ items }, style) =>
    items.length === 0 ? "" : formatTable(columns(style, items), toRows(items, options), style),
  );
  if (options.json) return;
  const { items, next } = response.value;
  if (items.length === 0) {
    const isFiltered = before !== undefined || filtered.length > 0;
    const message = isFiltered ? "no results match these filters" : emptyMessage;
    terminal.err(`hooklatch: ${(await explainUnknownFilter(options, admin)) ?? message}\n`);
  }
  if (next !== null) terminal.err(`hooklatch: there are more: list them with --before ${next}\n`);
}

/** Says which target, source or host of the filters does not exist; null if they exist. */
async function explainUnknownFilter(
  { target, source, host }: ListOptions,
  admin: Admin,
): Promise<string | null> {
  const filters = [
    [target, explainUnknownTarget],
    [source, explainUnknownSource],
    [host, explainUnknownHost],
  ] as const;
  for (const [name, explain] of filters) {
    const unknown = typeof name === "string" ? await explain(name, admin) : null;
    if (unknown !== null) return unknown;
  }
  return null;
}
