import { mkdirSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { type Server, Workshop } from "../support/executable.ts";
import { Random } from "../support/random.ts";
import { type RawAnswer, RawConnection } from "../support/raw.ts";
import {
  authenticate,
  chance,
  composeHandshake,
  composeInvalidHandshake,
  composeRequest,
  MEMBER_ADDRESSES,
  pick,
  useStrangerAddress,
} from "./corpus.ts";
import { Judge } from "./judge.ts";
import { CONFIGURATION, ESCAPED, JOBS, KEYS } from "./keys.ts";
import { mutateAuthentication, mutateBody, mutateHead, mutateWire } from "./mutate.ts";
import { type FuzzRequest, writeBody, writeHead } from "./request.ts";

/** The results of a fuzz run. */
export interface FuzzFigures {
  readonly seed: number;
  requests: number;
  /** The number of valid requests, each of which must get a 2xx. */
  valid: number;
  /** The number of responses by status code. */
  readonly codes: Map<number, number>;
  /** The number of connections that ended without a response. */
  unanswered: number;
  /** The number of 2xx responses to requests with and without a valid signature, token or client. */
  accepts: { readonly authenticated: number; readonly unauthenticated: number };
  crashes: number;
  healthChecks: number;
  logLines: number;
  /** Descriptions of everything that must not occur. */
  violations: readonly string[];
}

/** The number of concurrent connections. */
const WORKERS = 16;

/** Milliseconds to wait for a response to a mutated request, which can be incomplete. */
const MUTATED_TIMEOUT = 150;

/** Milliseconds in which a valid request and the health check must get a response. */
const VALID_TIMEOUT = 10_000;

/** The bytes to send on one connection. */
interface Attempt {
  readonly wire: Buffer;
  /** The offsets at which the bytes are split into separate writes. */
  readonly cuts: readonly number[];
  /** A valid request must get a 2xx, and an invalid one must not. The judge checks the unknown ones. */
  readonly expected: "valid" | "invalid" | "unknown";
  readonly isHead: boolean;
}

/** Starts the executable and sends it mutated real requests for `seconds`. The seed determines the requests. */
export async function fuzz(seconds: number, seed: number): Promise<FuzzFigures> {
  const workshop = new Workshop();
  const judge = new Judge();
  const figures: FuzzFigures = {
    seed,
    requests: 0,
    valid: 0,
    codes: new Map(),
    unanswered: 0,
    accepts: judge.accepts,
    crashes: 0,
    healthChecks: 0,
    logLines: 0,
    violations: judge.violations,
  };
  try {
    for (const source of JOBS) mkdirSync(join(workshop.path, `job-${source}`));
    const server = await workshop.serve(["--config", workshop.write("fuzz.toml", CONFIGURATION)], KEYS);
    await admitMembers(server);
    const end = performance.now() + seconds * 1000;
    const isRunning = () => performance.now() < end && figures.crashes === 0;
    await Promise.all([
      watchHealth(server, isRunning, figures, judge),
      ...Array.from({ length: WORKERS }, (_, index) =>
        work(server, new Random(seed + index), isRunning, figures, judge),
      ),
    ]);
    const code = await server.end("SIGTERM");
    if (code !== 0) {
      figures.crashes += 1;
      judge.violations.push(`the server exited with ${code}: ${server.stderr.slice(-2000)}`);
    }
    judge.checkStore(join(workshop.path, "data"));
    checkFiles(workshop.path, judge);
    figures.logLines = checkLines(server, judge);
  } finally {
    await workshop.dispose();
  }
  return figures;
}

async function admitMembers({ url }: Server): Promise<void> {
  for (const address of MEMBER_ADDRESSES) {
    const headers = { authorization: `Bearer ${KEYS.TOKEN}`, "x-forwarded-for": address };
    const { status } = await fetch(new URL("/client", url), { headers });
    if (status !== 200) throw new Error(`${address} was not authorised: ${status}`);
  }
}

async function work(
  server: Server,
  random: Random,
  isRunning: () => boolean,
  figures: FuzzFigures,
  judge: Judge,
): Promise<void> {
  let last: Attempt | undefined;
  while (isRunning()) {
    const attempt: Attempt = last !== undefined && chance(random, 3) ? last : compose(random);
    last = attempt;
    const connection = new RawConnection(server.url, !attempt.isHead);
    const responses = await send(connection, attempt);
    figures.requests += 1;
    for (const response of responses) {
      figures.codes.set(response.status, (figures.codes.get(response.status) ?? 0) + 1);
      judge.record(response, attempt.wire);
    }
    if (responses.length === 0) figures.unanswered += 1;
    if (attempt.expected === "valid") figures.valid += 1;
    if (attempt.expected !== "unknown" && responses.some(isAccepted) !== (attempt.expected === "valid")) {
      judge.violations.push(
        `a request expected to be ${attempt.expected} got ${describe(responses, attempt)}`,
      );
    }
    connection.drop();
  }
}

const isAccepted = ({ status }: RawAnswer) => status === 200 || status === 202;

function describe(responses: readonly RawAnswer[], { wire }: Attempt): string {
  const summary = responses.map(({ status, body }) => `${status} ${body}`).join(" | ");
  return `${summary || "no response"}: ${JSON.stringify(wire.toString("latin1", 0, 700))}`;
}

/** Returns a valid request, an invalid handshake, or most often a request with a few mutations. */
function compose(random: Random): Attempt {
  if (chance(random, 10)) return toAttempt(authenticate(random, composeRequest(random)), "valid", random);
  if (chance(random, 3)) return toAttempt(composeHandshake(random), "valid", random);
  if (chance(random, 3)) return toAttempt(composeInvalidHandshake(random), "invalid", random);
  let request = useStrangerAddress(random, composeRequest(random));
  const authenticatesLast = chance(random, 50);
  if (!authenticatesLast) request = authenticate(random, request);
  if (chance(random, 60)) request = repeat(mutateBody, request, random);
  if (chance(random, 35)) request = repeat(mutateHead, request, random);
  if (authenticatesLast) request = authenticate(random, request);
  if (chance(random, 20)) request = mutateAuthentication(request, random);
  const attempt = toAttempt(request, "unknown", random);
  const pipelined = chance(random, 5) ? attempt.wire : Buffer.alloc(0);
  const wire = Buffer.concat([attempt.wire, pipelined]);
  return { ...attempt, wire: chance(random, 20) ? mutateWire(wire, random) : wire };
}

function toAttempt(request: FuzzRequest, expected: Attempt["expected"], random: Random): Attempt {
  const wire = Buffer.concat([writeHead(request), writeBody(request)]);
  const cuts = chance(random, 30) ? [1 + random.below(wire.length), 1 + random.below(wire.length)] : [];
  return { wire, cuts: cuts.toSorted((a, b) => a - b), expected, isHead: request.method === "HEAD" };
}

function repeat(mutate: typeof mutateBody, request: FuzzRequest, random: Random): FuzzRequest {
  let changed = request;
  for (let count = pick(random, [1, 1, 1, 2, 3, 5]); count > 0; count -= 1) changed = mutate(changed, random);
  return changed;
}

/** Sends an attempt and returns the responses that arrive before the connection closes or the timeout ends. */
async function send(
  connection: RawConnection,
  { wire, cuts, expected }: Attempt,
): Promise<readonly RawAnswer[]> {
  let from = 0;
  for (const cut of [...cuts, wire.length]) {
    if (cut > from) connection.send(wire.subarray(from, cut));
    from = Math.max(from, cut);
    // Waits so that the system sends this write separately.
    if (cut < wire.length) await new Promise(setImmediate);
  }
  let timer: ReturnType<typeof setTimeout> | undefined;
  const timeout = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, expected === "valid" ? VALID_TIMEOUT : MUTATED_TIMEOUT);
  });
  await Promise.race([connection.untilClosed(), timeout]);
  clearTimeout(timer);
  return connection.answers;
}

async function watchHealth(
  { url }: Server,
  isRunning: () => boolean,
  figures: FuzzFigures,
  judge: Judge,
): Promise<void> {
  while (isRunning()) {
    const status = await fetch(new URL("/healthz", url), { signal: AbortSignal.timeout(VALID_TIMEOUT) }).then(
      (response) => response.status,
      String,
    );
    figures.healthChecks += 1;
    if (status !== 200) {
      figures.crashes += 1;
      judge.violations.push(`healthz returned ${status}`);
    }
    await Bun.sleep(50);
  }
}

/** Checks that no value of a payload made a file, and that the commands with values ran. */
function checkFiles(directory: string, judge: Judge): void {
  const names = readdirSync(directory, { recursive: true, encoding: "utf8" });
  for (const name of names.filter((each) => each.includes(ESCAPED))) judge.violations.push(`found ${name}`);
  for (const source of JOBS) {
    if (!names.includes(join(`job-${source}`, "value"))) judge.violations.push(`no command of ${source} ran`);
  }
}

/** Checks that every output line is JSON and contains no secret. Returns the number of log lines. */
function checkLines({ stdout, stderr }: Server, judge: Judge): number {
  const lines = stderr.split("\n").filter((line) => line !== "");
  for (const line of [...lines, ...stdout.split("\n").filter((line) => line !== "")]) {
    try {
      JSON.parse(line);
    } catch {
      judge.violations.push(`a line is not JSON: ${line.slice(0, 500)}`);
    }
    const secret = Object.entries(KEYS).find(([, value]) => line.includes(value));
    if (secret !== undefined) judge.violations.push(`a line contains ${secret[0]}: ${line.slice(0, 500)}`);
    if (/[\p{Cc}\p{Zl}\p{Zp}]/u.test(line))
      judge.violations.push(`a line contains control characters: ${JSON.stringify(line.slice(0, 500))}`);
  }
  return lines.length;
}
