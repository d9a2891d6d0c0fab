import { createHmac, randomBytes } from "node:crypto";
import type { Clock } from "../../lib/clock.ts";
import type { Secret } from "../../lib/secret.ts";

/**
 * Sessions of the dashboard. A session is a cookie with its times and an HMAC of them, so that the server stores nothing
 * and a restart ends none. The key comes from the admin token: another token ends all sessions.
 */
export interface Sessions {
  /** Starts a session. Returns the value of Set-Cookie. */
  start(request: Request): string;
  /** Returns values of Set-Cookie that remove the session from the browser. */
  end(request: Request): readonly string[];
  /** The session of a request; null without a valid one. `renewal` is a value of Set-Cookie that extends it, or null. */
  find(request: Request): { readonly renewal: string | null } | null;
}

const SECOND = 1000;
const HOUR = 3600;

/** Seconds without a request after which a session ends. */
const IDLE_LIFETIME = 12 * HOUR;

/** Seconds after the login at which a session ends in any case. */
const LIFETIME = 7 * 24 * HOUR;

/** Seconds after which a request extends a session. */
const RENEW_AFTER = HOUR;

/** Login and expiry in seconds since 1970, a random number, and the HMAC of these. */
const COOKIE = /^(v1\.(\d{1,12})\.(\d{1,12})\.[0-9a-f]{32})\.([0-9a-f]{64})$/;

/** Creates the {@link Sessions} of an admin token. `equal` compares two texts in constant time. */
export function createSessions({
  token,
  equal,
  clock,
}: {
  readonly token: Secret;
  readonly equal: (a: string, b: string) => boolean;
  readonly clock: Pick<Clock, "now">;
}): Sessions {
  const now = () => Math.floor(clock.now().getTime() / SECOND);
  // The token may be replaced in a reload, together with these sessions.
  const sign = (text: string) => {
    const key = createHmac("sha256", token.reveal()).update("hooklatch dashboard session").digest();
    return createHmac("sha256", key).update(text).digest("hex");
  };

  function create(login: number, name: string): string {
    const expiry = Math.min(now() + IDLE_LIFETIME, login + LIFETIME);
    const text = `v1.${login}.${expiry}.${randomBytes(16).toString("hex")}`;
    return describeCookie(name, `${text}.${sign(text)}`, expiry - now());
  }

  return {
    start: (request) => create(now(), isHttps(request.headers) ? secureName(request) : plainName(request)),
    end: (request) => [plainName(request), secureName(request)].map((name) => describeCookie(name, "", 0)),
    find(request) {
      for (const [name, value] of readCookies(request.headers.get("cookie") ?? "")) {
        if (name !== plainName(request) && name !== secureName(request)) continue;
        const [, text, login, expiry, mac] = COOKIE.exec(value) ?? [];
        if (text === undefined || mac === undefined || !equal(sign(text), mac)) continue;
        const left = Number(expiry) - now();
        if (left <= 0) continue;
        const isOld = left < IDLE_LIFETIME - RENEW_AFTER && Number(login) + LIFETIME > Number(expiry);
        return { renewal: isOld ? create(Number(login), name) : null };
      }
      return null;
    },
  };
}

/**
 * Whether a request with a cookie comes from a page of this listener. Browsers send the cookie of one port to all ports
 * of a host, and SameSite regards these as one site. Sec-Fetch-Site names the origin (Fetch Metadata); without it (plain
 * HTTP to another machine, or an old browser) Origin must be the Host. A GET then has neither: it needs a header that a
 * page of another origin could send only after a preflight, which is never allowed.
 */
export function isSameOrigin(headers: Headers): boolean {
  const site = headers.get("sec-fetch-site");
  if (site !== null) return site === "same-origin";
  const origin = headers.get("origin");
  if (origin === null) return headers.has("x-hooklatch-dashboard");
  return /^https?:\/\//.test(origin) && origin.replace(/^https?:\/\//, "") === headers.get("host");
}

/** Whether the browser's page came over HTTPS, which a proxy ends. A browser sends Origin with each POST. */
function isHttps(headers: Headers): boolean {
  return (headers.get("origin") ?? "").startsWith("https://");
}

/** The port distinguishes the servers that a browser reaches under one host name, such as through tunnels. */
function plainName({ headers }: Request): string {
  const [, port = "default"] = /:(\d+)$/.exec(headers.get("host") ?? "") ?? [];
  return `hooklatch_session_${port}`;
}

/** Browsers accept the prefix only from HTTPS, with Secure and for the whole host (RFC 6265bis, section 4.1.3). */
function secureName(request: Request): string {
  return `__Host-${plainName(request)}`;
}

function describeCookie(name: string, value: string, maxAge: number): string {
  const secure = name.startsWith("__Host-") ? "; Secure" : "";
  return `${name}=${value}; Path=/; Max-Age=${maxAge}; HttpOnly; SameSite=Strict${secure}`;
}

function readCookies(header: string): readonly (readonly [name: string, value: string])[] {
  return header.split(";").map((part) => {
    const at = part.indexOf("=");
    return [part.slice(0, at).trim(), part.slice(at + 1).trim()];
  });
}
