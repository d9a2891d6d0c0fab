import { join } from "node:path";
import { type Server, Workshop } from "../support/executable.ts";
import { Random } from "../support/random.ts";
import { type RawAnswer, RawConnection } from "../support/raw.ts";
import {
  chance,
  composeGuess,
  composeHandshake,
  composeRequest,
  estrange,
  MEMBER_ADDRESSES,
  pick,
  prove,
} from "./corpus.ts";
import { Judge } from "./judge.ts";
import { CONFIGURATION, KEYS } from "./keys.ts";
import { mutateBody, mutateHead, mutateProof, mutateWire } from "./mutate.ts";
import { type FuzzRequest, writeBody, writeHead } from "./request.ts";

/** What a fuzz run saw. */
export interface FuzzFigures {
  readonly seed: number;
  requests: number;
  /** Requests that were right in everything, each of which must get a 2xx. */
  right: number;
  /** How often each code was answered. */
  readonly codes: Map<number, number>;
  /** Connections that ended without any answer. */
  unanswered: number;
  /** 2xx by whether the request had the right signature, token or client. */
  accepts: { readonly proven: number; readonly unproven: number };
  crashes: number;
  healthChecks: number;
  logLines: number;
  /** Everything that must not be, in words. */
  violations: readonly string[];
}

/** Connections at a time. */
const WORKERS = 16;

/** Milliseconds after which a request that is not whole is given up: the server is right to wait for the rest. */
const PATIENCE = 150;

/** Milliseconds within which a right request, and the health check, must be answered. */
const LIMIT = 10_000;

/** What is sent on one connection. */
interface Attempt {
  readonly wire: Buffer;
  /** Where it is cut into writes. */
  readonly cuts: readonly number[];
  /** A right one must get a 2xx, a wrong one must not; of the others the judge finds out. */
  readonly expected: "right" | "wrong" | "unknown";
  readonly isHead: boolean;
}

/** Starts the executable and sends it mutated real requests for so many seconds; the seed chooses them all. */
export async function fuzz(seconds: number, seed: number): Promise<FuzzFigures> {
  const workshop = new Workshop();
  const judge = new Judge();
  const figures: FuzzFigures = {
    seed,
    requests: 0,
    right: 0,
    codes: new Map(),
    unanswered: 0,
    accepts: judge.accepts,
    crashes: 0,
    healthChecks: 0,
    logLines: 0,
    violations: judge.violations,
  };
  try {
    const server = await workshop.serve(["--config", workshop.write("fuzz.toml", CONFIGURATION)], KEYS);
    await admitMembers(server);
    const end = performance.now() + seconds * 1000;
    const goesOn = () => performance.now() < end && figures.crashes === 0;
    await Promise.all([
      watchHealth(server, goesOn, figures, judge),
      ...Array.from({ length: WORKERS }, (_, index) =>
        work(server, new Random(seed + index), goesOn, figures, judge),
      ),
    ]);
    const code = await server.end("SIGTERM");
    if (code !== 0) {
      figures.crashes += 1;
      judge.violations.push(`the server ended with ${code}: ${server.stderr.slice(-2000)}`);
    }
    judge.settle(join(workshop.path, "data"));
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
    if (status !== 200) throw new Error(`${address} was not admitted: ${status}`);
  }
}

async function work(
  server: Server,
  random: Random,
  goesOn: () => boolean,
  figures: FuzzFigures,
  judge: Judge,
): Promise<void> {
  let last: Attempt | undefined;
  while (goesOn()) {
    const attempt: Attempt = last !== undefined && chance(random, 3) ? last : compose(random);
    last = attempt;
    const connection = new RawConnection(server.url, !attempt.isHead);
    const answers = await send(connection, attempt);
    figures.requests += 1;
    for (const answer of answers) {
      figures.codes.set(answer.status, (figures.codes.get(answer.status) ?? 0) + 1);
      judge.hear(answer, attempt.wire);
    }
    if (answers.length === 0) figures.unanswered += 1;
    if (attempt.expected === "right") figures.right += 1;
    if (attempt.expected !== "unknown" && answers.some(isAccepted) !== (attempt.expected === "right")) {
      judge.violations.push(`a ${attempt.expected} request got ${describe(answers, attempt)}`);
    }
    connection.drop();
  }
}

const isAccepted = ({ status }: RawAnswer) => status === 200 || status === 202;

function describe(answers: readonly RawAnswer[], { wire }: Attempt): string {
  const said = answers.map(({ status, body }) => `${status} ${body}`).join(" | ");
  return `${said || "no answer"}: ${JSON.stringify(wire.toString("latin1", 0, 700))}`;
}

/** Most are right but for a few things; some are right, and some are bytes that were changed on their way. */
function compose(random: Random): Attempt {
  if (chance(random, 10)) return whole(prove(random, composeRequest(random)), "right", random);
  if (chance(random, 3)) return whole(composeHandshake(random), "right", random);
  if (chance(random, 3)) return whole(composeGuess(random), "wrong", random);
  let request = estrange(random, composeRequest(random));
  const signsLast = chance(random, 50);
  if (!signsLast) request = prove(random, request);
  if (chance(random, 60)) request = repeat(mutateBody, request, random);
  if (chance(random, 35)) request = repeat(mutateHead, request, random);
  if (signsLast) request = prove(random, request);
  if (chance(random, 20)) request = mutateProof(request, random);
  const attempt = whole(request, "unknown", random);
  const behind = chance(random, 5) ? attempt.wire : Buffer.alloc(0);
  const wire = Buffer.concat([attempt.wire, behind]);
  return { ...attempt, wire: chance(random, 20) ? mutateWire(wire, random) : wire };
}

function whole(request: FuzzRequest, expected: Attempt["expected"], random: Random): Attempt {
  const wire = Buffer.concat([writeHead(request), writeBody(request)]);
  const cuts = chance(random, 30) ? [1 + random.below(wire.length), 1 + random.below(wire.length)] : [];
  return { wire, cuts: cuts.toSorted((a, b) => a - b), expected, isHead: request.method === "HEAD" };
}

function repeat(mutate: typeof mutateBody, request: FuzzRequest, random: Random): FuzzRequest {
  let changed = request;
  for (let count = pick(random, [1, 1, 1, 2, 3, 5]); count > 0; count -= 1) changed = mutate(changed, random);
  return changed;
}

/** Gives the answers that came until the server closed the connection, or there was no more to be waited for. */
async function send(
  connection: RawConnection,
  { wire, cuts, expected }: Attempt,
): Promise<readonly RawAnswer[]> {
  let from = 0;
  for (const cut of [...cuts, wire.length]) {
    if (cut > from) connection.send(wire.subarray(from, cut));
    from = Math.max(from, cut);
    // Lets it go out on its own.
    if (cut < wire.length) await new Promise(setImmediate);
  }
  let timer: ReturnType<typeof setTimeout> | undefined;
  const enough = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, expected === "right" ? LIMIT : PATIENCE);
  });
  await Promise.race([connection.untilClosed(), enough]);
  clearTimeout(timer);
  return connection.answers;
}

async function watchHealth(
  { url }: Server,
  goesOn: () => boolean,
  figures: FuzzFigures,
  judge: Judge,
): Promise<void> {
  while (goesOn()) {
    const status = await fetch(new URL("/healthz", url), { signal: AbortSignal.timeout(LIMIT) }).then(
      (response) => response.status,
      String,
    );
    figures.healthChecks += 1;
    if (status !== 200) {
      figures.crashes += 1;
      judge.violations.push(`healthz gave ${status}`);
    }
    await Bun.sleep(50);
  }
}

/** Every line that was written is JSON, and none has a secret in it. Gives how many lines the log has. */
function checkLines({ stdout, stderr }: Server, judge: Judge): number {
  const lines = stderr.split("\n").filter((line) => line !== "");
  for (const line of [...lines, ...stdout.split("\n").filter((line) => line !== "")]) {
    try {
      JSON.parse(line);
    } catch {
      judge.violations.push(`a line is no JSON: ${line.slice(0, 500)}`);
    }
    const secret = Object.entries(KEYS).find(([, value]) => line.includes(value));
    if (secret !== undefined) judge.violations.push(`a line holds ${secret[0]}: ${line.slice(0, 500)}`);
    if (/[\p{Cc}\p{Zl}\p{Zp}]/u.test(line))
      judge.violations.push(`a line is no plain text: ${JSON.stringify(line.slice(0, 500))}`);
  }
  return lines.length;
}
