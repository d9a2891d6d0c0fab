import type { Static, TSchema } from "@sinclair/typebox";
import { Value } from "@sinclair/typebox/value";
import type { Command } from "commander";
import { ApiProblem } from "../../api/problem.ts";
import { loadAdminAccess } from "../../config/admin-access.ts";
import { AppError } from "../../lib/errors.ts";
import type { HttpRequest, HttpResponse } from "../../lib/http-client.ts";
import { localOrigin } from "../../lib/ip-address.ts";
import { httpClient } from "../../runtime/index.ts";
import { CONFIG_OPTION } from "../configuration.ts";
import { makePrintable } from "../output/sanitise.ts";
import type { Terminal } from "../terminal.ts";
import { type Answer, describeUnreachable, RESPONSE_TIMEOUT } from "./post.ts";

/** Where the admin listener is, as the options of a command tell it. */
export interface AdminOptions {
  readonly config?: string;
  readonly adminUrl?: string;
  readonly json?: boolean;
}

/** The words of `--admin-url`, the same on every command that has it. */
export const ADMIN_URL_OPTION = [
  "--admin-url <url>",
  "another machine's admin listener; its token is $HOOKLATCH_ADMIN_TOKEN",
] as const;

/** Gives a command the options that every one has which talks to a running server. */
export function withAdminOptions(command: Command): Command {
  return command
    .option("--json", "print the admin API's own answer, one JSON document")
    .option(...CONFIG_OPTION)
    .option(...ADMIN_URL_OPTION);
}

/** A running server's admin listener, and how it is known. */
export interface Admin {
  readonly url: string;
  readonly token: string;
  /** Where the token was taken from, for people. */
  readonly tokenOrigin: string;
  /** Whether it was named on the command line, and is not this machine's own. */
  readonly isElsewhere: boolean;
}

/**
 * Finds the admin listener through the same configuration as the server's, or where `--admin-url` says.
 * Throws a {@link AppError} when its address or its token is not known.
 */
export function findAdmin({ config: file, adminUrl }: AdminOptions, terminal: Terminal): Admin {
  if (adminUrl !== undefined) return findElsewhere(adminUrl, terminal);
  const admin = loadAdminAccess(file, terminal);
  const { token, port } = admin;
  if (port === 0) {
    throw new AppError(
      "configuration",
      `the admin listener picks a free port: pass --admin-url as the server's log tells it, and its token (${token}) in $HOOKLATCH_ADMIN_TOKEN`,
    );
  }
  return {
    url: localOrigin("http", admin),
    token: token.reveal(),
    tokenOrigin: String(token),
    isElsewhere: false,
  };
}

function findElsewhere(url: string, { env }: Terminal): Admin {
  if (!URL.canParse(url) || !/^https?:/.test(url)) {
    throw new AppError("configuration", "--admin-url: expected a URL such as http://127.0.0.1:9001");
  }
  const token = env.HOOKLATCH_ADMIN_TOKEN;
  if (token) return { url, token, tokenOrigin: "$HOOKLATCH_ADMIN_TOKEN", isElsewhere: true };
  throw new AppError("configuration", "--admin-url needs the token of that server in $HOOKLATCH_ADMIN_TOKEN");
}

/** What is asked of the admin API. */
export interface AdminRequest {
  readonly method: "GET" | "POST" | "DELETE";
  /** Such as `/api/targets`. */
  readonly path: string;
  /** Filters and the like; those that are undefined are left out. */
  readonly query?: Readonly<Record<string, string | number | undefined>>;
  readonly body?: AdminBody;
  readonly headers?: Readonly<Record<string, string>>;
  readonly signal?: AbortSignal;
}

/** What a POST says; what is undefined is left out. */
export type AdminBody = Readonly<Record<string, string | boolean | undefined>>;

/** Bytes of the largest response: a page of deliveries with their bodies can be large. */
const MAX_RESPONSE = 512 * 1024 ** 2;

/** Sends a request and reads the whole response, of any status. Throws an {@link AppError} `failed` when there is none. */
export async function requestAdmin(admin: Admin, request: AdminRequest): Promise<Answer> {
  const result = await httpClient.request(urlOf(admin, request), {
    ...describeRequest(admin, request),
    maxBody: MAX_RESPONSE,
  });
  if (result.kind !== "response") throw describeUnreachable(admin.url, result, CERTIFICATE_ADVICE);
  return { code: result.status, text: new TextDecoder().decode(result.body) };
}

/** Sends a request and resolves with the head of the response. Throws an {@link AppError} `failed` when there is none. */
export async function openAdminStream(
  admin: Admin,
  request: AdminRequest,
): Promise<HttpResponse<ReadableStream<Uint8Array>>> {
  const result = await httpClient.openStream(urlOf(admin, request), describeRequest(admin, request));
  if (result.kind !== "response") throw describeUnreachable(admin.url, result, CERTIFICATE_ADVICE);
  return result;
}

/** The path is relative to the admin URL, because a proxy may serve the API below a path of its own. */
function urlOf(admin: Admin, { path, query = {} }: AdminRequest): URL {
  const url = new URL(path.slice(1), admin.url.endsWith("/") ? admin.url : `${admin.url}/`);
  for (const [name, value] of Object.entries(query)) {
    if (value !== undefined) url.searchParams.set(name, String(value));
  }
  return url;
}

function describeRequest({ token }: Admin, { method, body, headers, signal }: AdminRequest): HttpRequest {
  const isPost = method === "POST";
  return {
    method,
    headers: {
      authorization: `Bearer ${token}`,
      ...(isPost ? { "content-type": "application/json" } : {}),
      ...headers,
    },
    ...(isPost ? { body: JSON.stringify(body ?? {}) } : {}),
    timeout: RESPONSE_TIMEOUT,
    ...(signal === undefined ? {} : { signal }),
    // A proxy would get the token.
    proxy: "none",
  };
}

const CERTIFICATE_ADVICE = "check the host in --admin-url";

/** What the API told, or what it refused and why. */
export type AdminResponse<Value> =
  | {
      readonly ok: true;
      readonly value: Value;
      /** The answer as it came: one JSON document. */
      readonly json: string;
    }
  | ({ readonly ok: false } & Problem);

/** Why the server did not do it: a 404, a 409 or a 422. */
export interface Problem {
  readonly code: number;
  readonly status: string;
  /** Fit to be printed. */
  readonly reason: string | null;
}

/**
 * Asks for what has this shape. Throws a {@link AppError} `failed` for everything that no command has words of its own
 * for: an answer of something else, another server's token, a server that cannot answer now.
 */
export async function readAdmin<Schema extends TSchema>(
  schema: Schema,
  admin: Admin,
  request: AdminRequest,
): Promise<AdminResponse<Static<Schema>>> {
  const { code, text } = await requestAdmin(admin, request);
  if (code < 200 || code > 299) return { ok: false, ...readProblem({ code, text }, admin) };
  const value = parse(text);
  if (Value.Check(schema, value)) return { ok: true, value, json: text };
  throw new AppError(
    "failed",
    `${admin.url} did not answer as an admin listener does: is that its address, and of the same version?`,
  );
}

/** Reads a refusal. Throws a {@link AppError} `failed` for one that no command has words of its own for. */
export function readProblem({ code, text }: Answer, admin: Admin): Problem {
  if (code === 401) throw new AppError("failed", explainWrongToken(admin));
  const value = parse(text);
  if (!Value.Check(ApiProblem, value)) {
    throw new AppError(
      "failed",
      `${admin.url} answered ${code}, not as an admin listener does: is that its address?`,
    );
  }
  const status = makePrintable(value.status);
  const reason = value.reason === undefined ? null : makePrintable(value.reason);
  if (code === 404 || code === 409 || code === 422) return { code, status, reason };
  throw new AppError("failed", explainRefusal(code, status, reason, value.id, admin));
}

/** A problem that a command has no words of its own for, as a fault. */
export function toAppError({ code, status, reason }: Problem): AppError {
  // 422: what the command line said is wrong, in a way that only the server can tell.
  return new AppError(
    code === 422 ? "configuration" : "failed",
    reason ?? `the server answered ${code} ${status}`,
  );
}

function explainWrongToken({ url, tokenOrigin, isElsewhere }: Admin): string {
  const advice = isElsewhere
    ? "set it to that server's own"
    : "is --config the file that the server runs with, and was it restarted since the token changed?";
  return `${url} does not know the token of ${tokenOrigin}: ${advice}`;
}

function explainRefusal(
  code: number,
  status: string,
  reason: string | null,
  id: string | undefined,
  { url }: Admin,
): string {
  if (code === 421) return `${url} is not what the server calls itself: use the address in its configuration`;
  if (code === 503) return `${url} cannot do it now: ${reason ?? status}; try again in a moment`;
  const clue = id === undefined ? "" : `; its log tells more under ${makePrintable(id)}`;
  return `${url} answered ${code} ${status}${reason === null ? "" : `: ${reason}`}${clue}`;
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
