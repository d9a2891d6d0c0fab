import { createHash } from "node:crypto";
import { gunzipSync } from "node:zlib";
import { normaliseAddress } from "../../lib/ip-address.ts";
import type { ThrottledLog } from "../../lib/log.ts";
import {
  RESPONSE_HEADERS,
  respond,
  respondMethodNotAllowed,
  respondProblem,
  respondTooManyAttempts,
} from "../responses.ts";
import { BodyRefused, readJsonBody } from "./request.ts";
import type { AdminServices } from "./services.ts";
import { isSameOrigin, type Sessions } from "./session.ts";

/** Responds to the requests of the dashboard that need no session; null for every other request. */
export type RespondDashboard = (request: Request, peer: string | null) => Promise<Response | null>;

/**
 * The page loads only its own script, style and icon. Trusted Types make the assignment of markup an error, whatever a
 * payload holds.
 */
const PAGE_HEADERS = {
  ...RESPONSE_HEADERS,
  "cache-control": "no-cache",
  "content-security-policy": [
    "default-src 'none'",
    "script-src 'self'",
    "style-src 'self'",
    "img-src 'self'",
    "connect-src 'self'",
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
    "require-trusted-types-for 'script'",
    "trusted-types 'none'",
  ].join("; "),
  "cross-origin-opener-policy": "same-origin",
  "cross-origin-resource-policy": "same-origin",
  vary: "accept-encoding",
};

interface Asset {
  readonly type: string;
  readonly gzip: Uint8Array<ArrayBuffer>;
  readonly etag: string;
}

/** Creates the page of the dashboard, and the routes that show, start and end a session. */
export function createDashboard(
  services: Pick<AdminServices, "token" | "equal" | "adminAttempts" | "log">,
  sessions: Sessions,
  logThrottled: ThrottledLog,
): RespondDashboard {
  const { token, equal, adminAttempts, log } = services;
  let assets: Promise<ReadonlyMap<string, Asset>> | null = null;

  async function logIn(request: Request, peer: string | null): Promise<Response> {
    const client = peer === null ? null : normaliseAddress(peer);
    const wait = adminAttempts.retryAfter(client);
    if (wait > 0) return respondTooManyAttempts(wait);
    const shown = await readToken(request);
    if (shown instanceof Response) return shown;
    if (!equal(shown, token.reveal())) {
      adminAttempts.recordFailure(client);
      logThrottled({ client, code: "token_mismatch" }, "login to the dashboard refused: wrong token");
      return respondProblem("not authorised", { reason: "this is not the admin token" });
    }
    log.info({ client }, "login to the dashboard");
    return respond(200, { status: "ok" }, { "set-cookie": sessions.start(request) });
  }

  function logOut(request: Request): Response {
    const response = respond(200, { status: "ok" });
    for (const cookie of sessions.end(request)) response.headers.append("set-cookie", cookie);
    return response;
  }

  return async (request, peer) => {
    const path = new URL(request.url).pathname;
    if (path === "/api/session") {
      if (!isSameOrigin(request.headers)) return respondProblem("cross-origin request");
      if (request.method === "GET") return respond(200, { status: sessions.find(request) ? "open" : "none" });
      if (request.method === "POST") return logIn(request, peer);
      if (request.method === "DELETE") return logOut(request);
      return respondMethodNotAllowed(["GET", "POST", "DELETE"]);
    }
    if (request.method !== "GET" && request.method !== "HEAD") return null;
    if (!PATHS.includes(path)) return null;
    assets ??= loadAssets();
    const asset = (await assets).get(path);
    return asset === undefined ? null : respondWithAsset(asset, request);
  };
}

async function readToken(request: Request): Promise<string | Response> {
  try {
    const body = await readJsonBody({ request });
    if (typeof body === "object" && body !== null && "token" in body && typeof body.token === "string") {
      return body.token;
    }
    return respondProblem("invalid request", { reason: "token: expected a text" });
  } catch (error) {
    if (error instanceof BodyRefused) return error.response;
    throw error;
  }
}

/** The paths that need no session: they hold nothing of the server's data. */
const PATHS: readonly string[] = ["/", "/dashboard.js", "/dashboard.css", "/dashboard.svg"];

/** Loads the page with its first request. */
async function loadAssets(): Promise<ReadonlyMap<string, Asset>> {
  const { page } = await import("#web");
  const files = [
    ["/", "text/html; charset=utf-8", page.html],
    ["/dashboard.js", "text/javascript; charset=utf-8", page.script],
    ["/dashboard.css", "text/css; charset=utf-8", page.style],
    ["/dashboard.svg", "image/svg+xml", page.icon],
  ] as const;
  return new Map(
    files.map(([path, type, base64]) => {
      const etag = `"${createHash("sha256").update(base64).digest("hex").slice(0, 32)}"`;
      return [path, { type, gzip: new Uint8Array(Buffer.from(base64, "base64")), etag }];
    }),
  );
}

function respondWithAsset({ type, gzip, etag }: Asset, { headers, method }: Request): Response {
  const own: Record<string, string> = { ...PAGE_HEADERS, "content-type": type, etag };
  if (headers.get("if-none-match") === etag) return new Response(null, { status: 304, headers: own });
  const isGzip = /\bgzip\b/.test(headers.get("accept-encoding") ?? "");
  if (isGzip) own["content-encoding"] = "gzip";
  if (method === "HEAD") return new Response(null, { headers: own });
  return new Response(isGzip ? gzip : new Uint8Array(gunzipSync(gzip)), { headers: own });
}
