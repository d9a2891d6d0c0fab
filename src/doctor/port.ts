import { existsSync } from "node:fs";
import { createServer } from "node:net";
import { dirname } from "node:path";
import type { Config } from "../config/load.ts";
import { isLoopback, localOrigin, readSocketPath } from "../lib/ip-address.ts";
import { httpClient } from "../runtime/index.ts";
import { type CheckResult, fail, ok, warn } from "./check-result.ts";
import { isWritable } from "./files.ts";
import { findRunningServer } from "./running-server.ts";

/** The host and port of a listener. */
interface Address {
  readonly host: string;
  readonly port: number;
}

/** Who uses an address. `unusable` says why it cannot be opened, in words that complete "port 443 on 0.0.0.0". */
type Usage =
  | { readonly kind: "free" | "hooklatch" | "another hooklatch" | "other program" }
  | { readonly kind: "unusable"; readonly problem: string };

/**
 * Checks whether the listeners' ports, or the socket, are free, or who uses them. A hooklatch there is the server of this
 * configuration if it uses the data directory and accepts the admin token. Sends only GET requests; the token only to a
 * hooklatch on loopback, while a server uses the data directory, or where the store is elsewhere.
 */
export async function checkPorts({
  dataDir,
  server,
  admin,
  store,
}: Pick<Config, "dataDir" | "server" | "admin" | "store">): Promise<readonly CheckResult[]> {
  // Only SQLite locks the directory.
  const running = store.postgres === null ? findRunningServer(dataDir) : { kind: "unknown" };
  const identify = (usage: Usage | null): Usage | null =>
    usage?.kind === "hooklatch" && running.kind === "none" ? { kind: "another hooklatch" } : usage;
  const socket = readSocketPath(server.host);
  const acme = server.acme === null ? null : { host: server.host, port: server.acme.httpPort };
  const publicHealth = `${localOrigin(server.protocol, server)}/healthz`;
  const found = await Promise.all([
    socket === null ? findUsage(server, () => probe(publicHealth, 200, "ok")) : findSocketUsage(socket),
    acme === null
      ? null
      : findUsage(acme, () => probe(`${localOrigin("http", acme)}${CHALLENGE}`, 404, "not found")),
    // The admin listener rejects a request without a token.
    findUsage(admin, () => probe(`${localOrigin("http", admin)}/readyz`, 401, "not authorised")),
  ]);
  const [usage = null, acmeUsage = null, adminFound = null] = found.map(identify);
  const isOwnAdmin = adminFound?.kind === "hooklatch" ? await acceptsToken(admin) : null;
  const adminUsage: Usage | null = isOwnAdmin === false ? { kind: "another hooklatch" } : adminFound;
  const label = socket === null ? `port ${server.port} on ${server.host}` : `socket ${socket}`;
  const isWaiting = acmeUsage?.kind === "hooklatch" && (usage?.kind === "free" || usage?.kind === "unusable");
  const isRunning = isWaiting || usage?.kind !== "free";
  return [
    ...(usage === null ? [] : [isWaiting ? describeWaiting(label) : describeUsage(label, usage)]),
    ...(acmeUsage === null ? [] : [describeUsage(`http_port ${acme?.port} on ${acme?.host}`, acmeUsage)]),
    ...(adminUsage === null ? [] : [checkAdmin(admin, adminUsage, isRunning || isOwnAdmin === true)]),
  ];
}

/** A path of an ACME challenge that does not exist. */
const CHALLENGE = "/.well-known/acme-challenge/check";

function describeWaiting(label: string): CheckResult {
  return warn(
    `${label}: hooklatch is running and waits for its first certificate; until then it receives no deliveries. See its log`,
  );
}

function describeUsage(label: string, usage: Usage): CheckResult {
  switch (usage.kind) {
    case "free":
      return ok(`${label} is free; no server is running`);
    case "hooklatch":
      return ok(`${label}: hooklatch is running`);
    case "another hooklatch":
      return fail(
        `${label} is in use by another hooklatch, which has another data directory: stop it (find it with ss -lxtp), or set another one`,
      );
    case "other program":
      return fail(
        `${label} is in use by another program: stop it (find it with ss -lxtp), or set another one`,
      );
    case "unusable":
      return fail(`${label} ${usage.problem}`);
  }
}

/** A second server on this machine has the same default admin port. A server starts without it, unless it is configured. */
function checkAdmin(
  { host, port, isConfigured }: Config["admin"],
  usage: Usage,
  isRunning: boolean,
): CheckResult {
  const label = `admin port ${port} on ${host}`;
  const result =
    usage.kind === "another hooklatch" || (usage.kind === "hooklatch" && !isRunning)
      ? fail(`${label} is in use by another hooklatch: set another port in [admin]`)
      : describeUsage(label, usage);
  return result.level === "fail" && !isConfigured ? warn(result.text) : result;
}

/** Null for port 0, which the system replaces by a free one. */
async function findUsage(
  { host, port }: Address,
  respond: () => ReturnType<typeof probe>,
): Promise<Usage | null> {
  if (port === 0) return null;
  const code = await tryToListen(host, port);
  if (code === null) return { kind: "free" };
  // Without the privilege for a port, EACCES hides whether it is in use.
  const isUsed = (code === "EADDRINUSE" || code === "EACCES") && (await respond()) === "hooklatch";
  if (isUsed) return { kind: "hooklatch" };
  return code === "EADDRINUSE"
    ? { kind: "other program" }
    : { kind: "unusable", problem: explainProblem(code) };
}

/** A socket that does not respond is left over from a server that was killed. */
async function findSocketUsage(path: string): Promise<Usage> {
  const user = existsSync(path) ? await probe("http://localhost/healthz", 200, "ok", path) : null;
  if (user !== null) return { kind: user };
  if (isWritable(dirname(path))) return { kind: "free" };
  const problem = `cannot be created: ${dirname(path)} does not exist or is not writable; RuntimeDirectory= in the systemd unit creates it`;
  return { kind: "unusable", problem };
}

/** The code of the error that prevents a listener; null if it can listen. Closes it at once. */
export function tryToListen(host: string, port: number): Promise<string | null> {
  return new Promise((resolve) => {
    const probe = createServer();
    probe.once("error", (error) => resolve("code" in error ? String(error.code) : error.message));
    probe.listen({ host, port, exclusive: true }, () => probe.close(() => resolve(null)));
  });
}

function explainProblem(code: string): string {
  if (code === "EACCES") {
    return "needs a privilege: set AmbientCapabilities=CAP_NET_BIND_SERVICE in the systemd unit, or choose a port above 1023";
  }
  if (code === "EADDRNOTAVAIL" || code === "ENOTFOUND") {
    return "cannot be opened: the host is not an address of this machine; use 0.0.0.0 for all addresses";
  }
  return `cannot be opened (${code}): set another host or port`;
}

/** Finds out what responds at a URL: a hooklatch has this code, and this `status` in its JSON. Null for no response. */
async function probe(
  url: string,
  code: number,
  status: string,
  socketPath?: string,
): Promise<"hooklatch" | "other program" | null> {
  const result = await httpClient.request(url, {
    timeout: 3_000,
    maxBody: 64 * 1024,
    ...(socketPath === undefined ? {} : { socketPath }),
    proxy: "none",
    // The certificate is for the public name.
    insecure: true,
  });
  if (result.kind === "too large") return "other program";
  if (result.kind !== "response") return null;
  const isOurs = result.status === code && readStatus(result.body) === status;
  return isOurs ? "hooklatch" : "other program";
}

/** Whether the admin listener accepts the token; null when that is not known. */
async function acceptsToken({ host, port, token }: Config["admin"]): Promise<boolean | null> {
  const origin = localOrigin("http", { host, port });
  if (!token.loaded || !isLoopback(new URL(origin).hostname)) return null;
  const result = await httpClient.request(`${origin}/readyz`, {
    headers: { authorization: `Bearer ${token.reveal()}` },
    timeout: 3_000,
    maxBody: 64 * 1024,
    proxy: "none",
  });
  return result.kind === "response" ? result.status !== 401 : null;
}

function readStatus(body: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder().decode(body))?.status;
  } catch {
    return null;
  }
}
