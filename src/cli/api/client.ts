import { hostname } from "node:os";
import type { Static, TSchema } from "@sinclair/typebox";
import { Value } from "@sinclair/typebox/value";
import { ApiPage } from "../../api/page.ts";
import { ApiProblem } from "../../api/problem.ts";
import { loadAdminAccess } from "../../config/admin-access.ts";
import { MAX_PAGE } from "../../domain/page.ts";
import { AppError } from "../../lib/errors.ts";
import type { HttpRequest, HttpResponse } from "../../lib/http-client.ts";
import { isLoopback, localOrigin } from "../../lib/ip-address.ts";
import { currentUser } from "../../lib/os-user.ts";
import { httpClient } from "../../runtime/index.ts";
import { makePrintable } from "../output/sanitise.ts";
import type { Terminal } from "../terminal.ts";
import { RESPONSE_TIMEOUT, requestText, type TextResponse, unreachableError } from "./request.ts";

/** The options that locate an admin listener. */
export interface AdminOptions {
  readonly config?: string;
  readonly adminUrl?: string;
  readonly json?: boolean;
}

/** The admin listener of a running server. */
export interface Admin {
  readonly url: string;
  readonly token: string;
  /** Where the token comes from, such as `env:ADMIN_TOKEN`. */
  readonly tokenOrigin: string;
  /** Whether `--admin-url` names it. */
  readonly isRemote: boolean;
}

/**
 * Finds the admin listener at `--admin-url`, or in the server's configuration. Throws an {@link AppError} if its address
 * or its token is not known.
 */
export function findAdmin({ config: file, adminUrl }: AdminOptions, terminal: Terminal): Admin {
  if (adminUrl !== undefined) return findRemoteAdmin(adminUrl, terminal);
  const access = loadAdminAccess(file, terminal);
  const { token, port, host, isFound } = access;
  if (port === 0) {
    throw new AppError(
      "configuration",
      `the admin listener uses any free port: pass the admin URL in the server's log as --admin-url, and set $HOOKLATCH_ADMIN_TOKEN to its token (${token})`,
    );
  }
  const url = localOrigin("http", access);
  if (isFound && !isLoopback(new URL(url).hostname)) {
    throw new AppError(
      "configuration",
      `the configuration was only found by search, so the admin token is not sent to its [admin] host ${host}: pass --config to name the file, or --admin-url`,
    );
  }
  return { url, token: token.reveal(), tokenOrigin: String(token), isRemote: false };
}

function findRemoteAdmin(url: string, { env }: Terminal): Admin {
  if (!URL.canParse(url) || !/^https?:/.test(url)) {
    throw new AppError("configuration", "--admin-url: expected a URL such as http://127.0.0.1:9001");
  }
  const token = env.HOOKLATCH_ADMIN_TOKEN;
  if (token) return { url, token, tokenOrigin: "$HOOKLATCH_ADMIN_TOKEN", isRemote: true };
  throw new AppError("configuration", "--admin-url needs the server's admin token in $HOOKLATCH_ADMIN_TOKEN");
}

/** The person who runs the command, for the history: the user, with this machine's name for a remote server. */
export function operatorName({ isRemote }: Admin, { env }: Terminal): string {
  const name = currentUser().USER ?? env.USER ?? "unknown";
  return isRemote ? `${name}@${hostname()}` : name;
}

/** A request to the admin API. Undefined parameters are omitted. */
export interface AdminRequest {
  /** GET by default. */
  readonly method?: "GET" | "POST" | "DELETE";
  /** Such as `/api/targets`. */
  readonly path: string;
  readonly query?: Readonly<Record<string, string | number | undefined>>;
  /** The JSON body of a POST. */
  readonly body?: Readonly<Record<string, string | boolean | undefined>>;
  readonly headers?: Readonly<Record<string, string>>;
  readonly signal?: AbortSignal;
}

/** Bytes of the largest response. A page of deliveries with their bodies can be large. */
const MAX_RESPONSE = 512 * 1024 ** 2;

const CERTIFICATE_HINT = "check the host in --admin-url";

/** Sends a request and reads the response, of any status. Throws an {@link AppError} `failed` without a response. */
export function requestAdmin(admin: Admin, request: AdminRequest): Promise<TextResponse> {
  const limits = { maxBody: MAX_RESPONSE, certificateHint: CERTIFICATE_HINT };
  return requestText(urlOf(admin, request), toHttpRequest(admin, request), limits);
}

/** Like {@link requestAdmin}, but resolves when the head of the response has arrived. */
export async function openAdminStream(
  admin: Admin,
  request: AdminRequest,
): Promise<HttpResponse<ReadableStream<Uint8Array>>> {
  const options = { ...toHttpRequest(admin, request), timeout: RESPONSE_TIMEOUT };
  const result = await httpClient.openStream(urlOf(admin, request), options);
  if (result.kind === "response") return result;
  throw unreachableError(admin.url, result, CERTIFICATE_HINT);
}

/** The path is relative to the admin URL, because a proxy may serve the API below a path. */
function urlOf(admin: Admin, { path, query = {} }: AdminRequest): URL {
  const url = new URL(path.slice(1), admin.url.endsWith("/") ? admin.url : `${admin.url}/`);
  for (const [name, value] of Object.entries(query)) {
    if (value !== undefined) url.searchParams.set(name, String(value));
  }
  return url;
}

function toHttpRequest({ token }: Admin, request: AdminRequest): Omit<HttpRequest, "timeout"> {
  const { method = "GET", body = {}, headers, signal } = request;
  const isPost = method === "POST";
  return {
    method,
    headers: {
      authorization: `Bearer ${token}`,
      ...(isPost ? { "content-type": "application/json" } : {}),
      ...headers,
    },
    ...(isPost ? { body: JSON.stringify(body) } : {}),
    ...(signal === undefined ? {} : { signal }),
    // A proxy would receive the token.
    proxy: "none",
  };
}

/** A successful response. */
export interface AdminResponse<Value> {
  readonly value: Value;
  /** The JSON document as received. */
  readonly json: string;
}

/** Why the server rejected a request: a 404, a 409 or a 422. Its texts are safe to print. */
export interface Problem {
  readonly code: number;
  readonly status: string;
  readonly reason: string | null;
  /** The faults of a configuration that the server does not use. */
  readonly faults: readonly string[];
}

/** Turns a problem into an error that names the command to use instead. */
export type ExplainProblem = (problem: Problem) => AppError | Promise<AppError>;

/**
 * Requests a resource of the given shape; a newer server may send more. Throws an {@link AppError} for every other
 * response.
 */
export async function readAdmin<Schema extends TSchema>(
  schema: Schema,
  admin: Admin,
  request: AdminRequest,
  explain: ExplainProblem = toAppError,
): Promise<AdminResponse<Static<Schema>>> {
  const response = await requestAdmin(admin, request);
  if (response.code < 200 || response.code > 299) throw await explain(readProblem(response, admin));
  const value = parseJson(response.text);
  if (Value.Check(schema, value)) return { value, json: response.text };
  throw new AppError(
    "failed",
    `unexpected response from ${admin.url}: check the address, and that the server has the same version`,
  );
}

/** A page of a list. */
export type Page<Item> = { readonly items: readonly Item[]; readonly next: number | null };

/** Requests all pages of a list and joins them into one. Throws as {@link readAdmin} does. */
export async function readAllPages<Item extends TSchema>(
  item: Item,
  admin: Admin,
  request: AdminRequest,
): Promise<AdminResponse<Page<Static<Item>>>> {
  const items: Static<Item>[] = [];
  let before: number | undefined;
  do {
    const query = { ...request.query, limit: MAX_PAGE, before };
    const { value } = await readAdmin(ApiPage(item), admin, { ...request, query });
    items.push(...value.items);
    before = value.next ?? undefined;
  } while (before !== undefined);
  const value = { items, next: null };
  return { value, json: JSON.stringify(value) };
}

/** Reads a 404, 409 or 422. Throws an {@link AppError} `failed` for every other status. */
export function readProblem({ code, text }: TextResponse, admin: Admin): Problem {
  if (code === 401) throw new AppError("failed", explainRejectedToken(admin));
  const value = parseJson(text);
  if (!Value.Check(ApiProblem, value)) {
    throw new AppError("failed", `unexpected response (${code}) from ${admin.url}: check the address`);
  }
  const status = makePrintable(value.status);
  const reason = value.reason === undefined ? null : makePrintable(value.reason);
  const faults = (value.faults ?? []).map(makePrintable);
  if (code === 404 || code === 409 || code === 422) return { code, status, reason, faults };
  throw new AppError("failed", explainFailure(code, reason ?? status, value.id, admin));
}

/** The error for a problem that no command explains better. */
export function toAppError({ code, status, reason }: Problem): AppError {
  // A 422 rejects a value of the command line that only the server can check.
  const kind = code === 422 ? "configuration" : "failed";
  return new AppError(kind, reason ?? `the server responded ${code} ${status}`);
}

/** The text for a 401: another token, or another server. */
export function explainRejectedToken({ url, tokenOrigin, isRemote }: Admin): string {
  const hint = isRemote
    ? "set it to the admin token of that server"
    : "pass the configuration of the running server as --config, and restart the server after a change of its token; if another hooklatch uses this port, set [admin] port";
  return `${url} rejects the token from ${tokenOrigin}: ${hint}`;
}

function explainFailure(code: number, reason: string, id: string | undefined, { url }: Admin): string {
  if (code === 421)
    return `the server does not accept the host name in ${url}: use the address in its configuration`;
  if (code === 503) {
    const cause = reason === "unavailable" ? "the server cannot use its database, or is stopping" : reason;
    return `${url} is unavailable: ${cause}; try again later`;
  }
  const hint = id === undefined ? "" : `; search the server's log for ${makePrintable(id)}`;
  return `${url} responded ${code}: ${reason}${hint}`;
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
