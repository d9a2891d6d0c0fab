import { existsSync } from "node:fs";
import { createServer } from "node:net";
import { dirname } from "node:path";
import type { Config } from "../config/load.ts";
import { localOrigin, readSocketPath } from "../lib/ip-address.ts";
import { httpClient } from "../runtime/index.ts";
import { isWritable } from "./files.ts";
import { type CheckResult, fail, ok, warn } from "./index.ts";

/** Milliseconds that whoever listens there may take to answer. */
const PATIENCE = 3_000;

/** Where a listener is configured to be. */
interface Place {
  readonly host: string;
  readonly port: number;
}

/** Who has a port now; `nobody` where it can be had. Else why it cannot be, in words that complete "port 443 on …". */
type Holder = "nobody" | "hooklatch" | "another program" | { readonly problem: string };

/**
 * Whether the listeners' ports, the one for ACME too, or the public one's socket, can be had, or who has them. Nothing is
 * sent there but a GET without a token.
 */
export async function checkPorts({
  server,
  admin,
}: Pick<Config, "server" | "admin">): Promise<readonly CheckResult[]> {
  const socket = readSocketPath(server.host);
  const plain = server.acme === null ? null : { host: server.host, port: server.acme.httpPort };
  const [holder, plainHolder, adminHolder] = await Promise.all([
    socket === null ? findHolder(server, () => isServing(server)) : findSocketHolder(socket),
    plain === null ? null : findHolder(plain, () => isPlain(plain)),
    findHolder(admin, () => isAdministering(admin)),
  ]);
  const open = socket === null ? `port ${server.port} on ${server.host}` : `socket ${socket}`;
  const adminOpen = `admin port ${admin.port} on ${admin.host}`;
  const isWaiting = plainHolder === "hooklatch" && isToBeOpened(holder);
  const isRunning = isWaiting || holder !== "nobody";
  const remarks = adminHolder === null ? [] : [describeAdmin(adminOpen, adminHolder, isRunning)];
  return [
    ...(holder === null ? [] : [isWaiting ? describeWait(open) : describe(open, holder)]),
    ...(plainHolder === null ? [] : [describe(`http_port ${plain?.port} on ${plain?.host}`, plainHolder)]),
    // A server starts without an admin listener where nobody chose its port.
    ...remarks.map((remark) => (admin.isConfigured ? remark : soften(remark))),
  ];
}

/** Whether a running server may still open it: nobody is there, or this user is not told. */
function isToBeOpened(holder: Holder | null): boolean {
  return holder !== null && holder !== "hooklatch" && holder !== "another program";
}

function describeWait(name: string): CheckResult {
  return warn(
    `${name}: hooklatch is running and waits for its first certificate, until which it takes no deliveries; its log tells what keeps it`,
  );
}

/** Two servers of one machine have the same default. */
function describeAdmin(name: string, holder: Holder, isRunning: boolean): CheckResult {
  if (holder !== "hooklatch" || isRunning) return describe(name, holder);
  return fail(`${name} is another hooklatch's: choose another port in [admin]`);
}

function describe(name: string, holder: Holder): CheckResult {
  if (holder === "nobody") return ok(`${name} is free: no server is running there`);
  if (holder === "hooklatch") return ok(`${name}: hooklatch is running`);
  if (holder !== "another program") return fail(`${name} ${holder.problem}`);
  return fail(`${name} is taken by another program: stop it (ss -lxtp names it), or choose another`);
}

/** Null for a port that the system picks. */
async function findHolder(
  { host, port }: Place,
  isHooklatch: () => Promise<boolean>,
): Promise<Holder | null> {
  if (port === 0) return null;
  const code = await tryToBind(host, port);
  if (code === null) return "nobody";
  // Whether it is in use, somebody without the privilege for the port is not told.
  const mayBeTaken = code === "EADDRINUSE" || code === "EACCES";
  if (mayBeTaken && (await isHooklatch())) return "hooklatch";
  return code === "EADDRINUSE" ? "another program" : { problem: explainProblem(code) };
}

/** A socket that nobody answers at is left from a server that was killed. */
async function findSocketHolder(path: string): Promise<Holder> {
  const answer = existsSync(path) ? await ask("http://localhost/healthz", path) : null;
  if (answer !== null) return isWell(answer) ? "hooklatch" : "another program";
  if (isWritable(dirname(path))) return "nobody";
  return {
    problem: `cannot be made: ${dirname(path)} is not there or not writable for this user; RuntimeDirectory= of systemd makes one`,
  };
}

/** The code of what is in the way of a listener; null for nothing. What is opened is closed at once. */
function tryToBind(host: string, port: number): Promise<string | null> {
  return new Promise((resolve) => {
    const probe = createServer();
    probe.once("error", (error) => resolve("code" in error ? String(error.code) : error.message));
    probe.listen({ host, port, exclusive: true }, () => probe.close(() => resolve(null)));
  });
}

/** Completes "port 443 on 0.0.0.0 …". */
function explainProblem(code: string): string {
  if (code === "EACCES") {
    return "needs a privilege that this user has not: give the service AmbientCapabilities=CAP_NET_BIND_SERVICE (systemd), or take a port over 1023";
  }
  if (code === "EADDRNOTAVAIL" || code === "ENOTFOUND") {
    return "cannot be opened: the host is no address of this machine; 0.0.0.0 listens on all of them";
  }
  return `cannot be opened (${code}): choose another host or port`;
}

async function isServing({ protocol, ...place }: Config["server"]): Promise<boolean> {
  const answer = await ask(`${localOrigin(protocol, place)}/healthz`);
  return answer !== null && isWell(answer);
}

function isWell({ code, status }: Answered): boolean {
  return code === 200 && status === "ok";
}

/** Of challenges it knows those of now only, and says so in its own words. */
async function isPlain(place: Place): Promise<boolean> {
  const answer = await ask(`${localOrigin("http", place)}/.well-known/acme-challenge/check`);
  return answer?.code === 404 && answer.status === "not found";
}

/** It answers nobody without a token, and in its own words; the token is not for whoever else may listen there. */
async function isAdministering(admin: Config["admin"]): Promise<boolean> {
  const answer = await ask(`${localOrigin("http", admin)}/readyz`);
  return answer?.code === 401 && answer.status === "not authorised";
}

/** A response's status code, 0 for one that is too large to be ours, and the `status` in its body; null without. */
interface Answered {
  readonly code: number;
  readonly status: unknown;
}

/** Bytes of the largest response; a hooklatch sends less. */
const MAX_RESPONSE = 64 * 1024;

/** Null when there is no response. */
async function ask(url: string, socketPath?: string): Promise<Answered | null> {
  const result = await httpClient.request(url, {
    timeout: PATIENCE,
    maxBody: MAX_RESPONSE,
    ...(socketPath === undefined ? {} : { socketPath }),
    proxy: "none",
    // The certificate is for the public name, not for this address.
    insecure: true,
  });
  if (result.kind === "too large") return { code: 0, status: null };
  if (result.kind !== "response") return null;
  const body = parseJson(new TextDecoder().decode(result.body));
  const hasStatus = typeof body === "object" && body !== null && "status" in body;
  return { code: result.status, status: hasStatus ? body.status : null };
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

function soften(remark: CheckResult): CheckResult {
  return remark.level === "fail" ? warn(remark.text) : remark;
}
