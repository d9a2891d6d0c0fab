import type { Static, TSchema } from "@sinclair/typebox";
import { type Command, Option } from "commander";
import { ApiPage } from "../../api/page.ts";
import { toOneLineJson } from "../../lib/text.ts";
import { type AdminOptions, findAdmin, readAdmin, toAppError, withAdminOptions } from "../api/client.ts";
import { readAllPages } from "../api/read-all-pages.ts";
import { readId, readLimit } from "../arguments.ts";
import type { Terminal } from "../terminal.ts";
import { makePrintable } from "./sanitise.ts";
import { createStyle, type Style } from "./style.ts";
import { type Column, formatTable } from "./table.ts";

/** A command that shows a list of the admin API. */
export interface ListCommand<Item extends TSchema> {
  /** Such as `/api/deliveries`. */
  readonly path: string;
  readonly item: Item;
  readonly columns: (look: Style) => readonly Column<Static<Item>>[];
  /** What to say when there is nothing, and nothing was filtered. */
  readonly whenEmpty: string;
  /** The names of the options that filter, which are the API's own. */
  readonly filters: readonly string[];
  /** Shows all of it, however many pages the API has: for a command without the options that choose one. */
  readonly isWhole?: boolean;
}

interface ListOptions extends AdminOptions {
  readonly limit?: number;
  readonly before?: number;
  readonly [filter: string]: unknown;
}

/** Gives a list command the options that choose a page. */
export function withPageOptions(command: Command): Command {
  return command
    .addOption(
      new Option("--limit <number>", "at most so many (default: 50, at most 500)").argParser(readLimit),
    )
    .addOption(new Option("--before <id>", "only older ones than this").argParser(readId));
}

/**
 * Makes a command show a list: a table on standard output, nothing there when the list is empty. What is no row, such
 * as that there are more, goes to standard error.
 */
export function showsList<Item extends TSchema>(
  command: Command,
  { path, item, columns, whenEmpty, filters, isWhole = false }: ListCommand<Item>,
  terminal: Terminal,
): Command {
  return withAdminOptions(command).action(async (options: ListOptions) => {
    const admin = findAdmin(options, terminal);
    const wanted = filters.map((name) => [name, toText(options[name])] as const);
    const query = { ...Object.fromEntries(wanted), limit: options.limit, before: options.before };
    const told = isWhole
      ? await readAllPages(item, admin, { path, query })
      : await readAdmin(ApiPage(item), admin, { method: "GET", path, query });
    if (!told.ok) throw toAppError(told);
    if (options.json) return printJson(told.json, terminal);
    const { items, next } = told.value;
    const look = createStyle(terminal);
    if (items.length > 0) terminal.out(formatTable(columns(look), items, look));
    if (items.length === 0) {
      const isFiltered = options.before !== undefined || wanted.some(([, value]) => value !== undefined);
      terminal.err(`hooklatch: ${isFiltered ? "nothing fits the options given" : whenEmpty}\n`);
    }
    if (next !== null) terminal.err(`hooklatch: there are more: --before ${next} shows them\n`);
  });
}

function toText(value: unknown): string | undefined {
  return value === undefined ? undefined : String(value);
}

/** Prints an answer as one document on one line; what a terminal would obey is escaped, also where it is no JSON. */
export function printJson(json: string, terminal: Terminal): void {
  terminal.out(`${makePrintable(toOneLineJson(json))}\n`);
}
