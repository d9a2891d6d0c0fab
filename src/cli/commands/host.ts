import { Command } from "commander";
import { ApiForgotten, ApiHost } from "../../api/host.ts";
import { AppError } from "../../lib/errors.ts";
import { listCommand, printResponse, withAdminOptions } from "../admin-command.ts";
import {
  type Admin,
  type AdminOptions,
  type ExplainProblem,
  findAdmin,
  readAdmin,
  toAppError,
} from "../api/client.ts";
import { explainUnknownHost } from "../api/unknown-name.ts";
import { withExamples } from "../options.ts";
import { formatHost, hostColumns } from "../output/host.ts";
import { makePrintable } from "../output/sanitise.ts";
import type { Terminal } from "../terminal.ts";

/** `hooklatch host`: the machines that share a store. */
export function host(terminal: Terminal): Command {
  const command = new Command("host")
    .description("list, show, drain and forget the hosts that share a store")
    .addCommand(defineList(terminal))
    .addCommand(defineShow(terminal))
    .addCommand(defineDrain(terminal))
    .addCommand(defineUndrain(terminal))
    .addCommand(defineForget(terminal));
  return withExamples(command, "hooklatch host list", "hooklatch host drain web-2");
}

function defineList(terminal: Terminal): Command {
  const command = listCommand(
    new Command("list").description("list the hosts: state, running and queued deployments"),
    {
      path: "/api/hosts",
      item: ApiHost,
      columns: hostColumns,
      emptyMessage:
        "this server stores in a SQLite file, which has one host: set [store] url to share a store",
      filters: [],
      allPages: true,
    },
    terminal,
  );
  return withExamples(command, "hooklatch host list");
}

function defineShow(terminal: Terminal): Command {
  const command = new Command("show")
    .description("show a host: its targets, releases and deployments")
    .argument("<host>", "name of the host");
  withAdminOptions(command).action(async (name: string, options: AdminOptions) => {
    const admin = findAdmin(options, terminal);
    const response = await readAdmin(ApiHost, admin, { path: pathOf(name) }, explain(name, admin));
    printResponse(response, options, terminal, formatHost);
  });
  return withExamples(command, "hooklatch host show web-2");
}

function defineDrain(terminal: Terminal): Command {
  const command = new Command("drain")
    .description("start no further deployment on a host; running ones finish, queued ones wait")
    .argument("<host>", "name of the host");
  withAdminOptions(command).action(async (name: string, options: AdminOptions) => {
    const admin = findAdmin(options, terminal);
    const request = { method: "POST", path: `${pathOf(name)}/drain` } as const;
    const response = await readAdmin(ApiHost, admin, request, explain(name, admin));
    printResponse(response, options, terminal, ({ running }) => {
      const [first] = running;
      const rest = first === undefined ? "nothing runs on it" : `running: ${describeIds(running)}`;
      return `${name} starts no further deployment; ${rest}; end it with: hooklatch host undrain ${name}\n`;
    });
  });
  return withExamples(command, "hooklatch host drain web-2");
}

function defineUndrain(terminal: Terminal): Command {
  const command = new Command("undrain")
    .description("start deployments on a drained host again")
    .argument("<host>", "name of the host");
  withAdminOptions(command).action(async (name: string, options: AdminOptions) => {
    const admin = findAdmin(options, terminal);
    const request = { method: "POST", path: `${pathOf(name)}/undrain` } as const;
    const response = await readAdmin(ApiHost, admin, request, explain(name, admin));
    printResponse(response, options, terminal, () => `${name} starts deployments again\n`);
  });
  return withExamples(command, "hooklatch host undrain web-2");
}

function defineForget(terminal: Terminal): Command {
  const command = new Command("forget")
    .description("remove a host that is away for good, and cancel its queued deployments")
    .argument("<host>", "name of the host");
  withAdminOptions(command).action(async (name: string, options: AdminOptions) => {
    const admin = findAdmin(options, terminal);
    const request = { method: "DELETE", path: pathOf(name) } as const;
    const response = await readAdmin(ApiForgotten, admin, request, explain(name, admin));
    printResponse(response, options, terminal, ({ cancelled }) => {
      const rest = cancelled.length === 0 ? "" : `; cancelled: ${describeIds(cancelled)}`;
      return `${name} is forgotten${rest}\n`;
    });
  });
  return withExamples(command, "hooklatch host forget web-2");
}

function describeIds(ids: readonly number[]): string {
  return `${ids.length === 1 ? "deployment" : "deployments"} ${ids.join(", ")}`;
}

function pathOf(name: string): string {
  return `/api/hosts/${encodeURIComponent(name)}`;
}

function explain(name: string, admin: Admin): ExplainProblem {
  return async (problem) => {
    if (problem.code === 404) {
      const unknown = await explainUnknownHost(name, admin);
      return new AppError("failed", unknown ?? `no host ${makePrintable(name)}`);
    }
    if (problem.status === "up") {
      return new AppError("failed", `host ${name} is up: stop its server first, or drain it`);
    }
    return toAppError(problem);
  };
}
