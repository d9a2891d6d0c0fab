import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Source } from "../../src/domain/source.ts";
import type { Store } from "../../src/domain/store.ts";
import type { Target } from "../../src/domain/target.ts";
import { createAttemptLimiter } from "../../src/flow/attempt-limiter.ts";
import { authorise } from "../../src/flow/authorise.ts";
import { createEventBus } from "../../src/flow/event-bus.ts";
import { createLocks } from "../../src/flow/locks.ts";
import { receive } from "../../src/flow/receive.ts";
import { createRefusals, type Refusals } from "../../src/flow/refusals.ts";
import { createRouter } from "../../src/flow/route-delivery.ts";
import { createBodyBudget } from "../../src/http/body-budget.ts";
import { createPublic } from "../../src/http/public.ts";
import { parseTrustedProxy } from "../../src/lib/ip-address.ts";
import type { Log } from "../../src/lib/log.ts";
import { createThrottledLog } from "../../src/lib/log.ts";
import { Secret } from "../../src/lib/secret.ts";
import { generic } from "../../src/providers/generic/index.ts";
import { github } from "../../src/providers/github/index.ts";
import { stores } from "../../src/store/index.ts";
import { TestClock } from "./clock.ts";

/** A secret that is loaded with a value. */
export function secretOf(value: string): Secret {
  const secret = new Secret({ kind: "env", name: "A_TEST" });
  secret.load(value);
  return secret;
}

export const GITHUB_SECRET = "It's a Secret to Everybody";
export const VERIFY_TOKEN = "meatyhamhock-meatyhamhock";
export const DAY = 86_400_000;

/** A log that adds each line, its message and its fields as JSON, to a list. */
export function logInto(lines: string[]): Log {
  const write = (fields: unknown, message: string) =>
    void lines.push(`${message} ${JSON.stringify(fields, replaceError)}`);
  return { debug: write, info: write, warn: write, error: write };
}

function replaceError(_key: string, value: unknown): unknown {
  return value instanceof Error ? { message: value.message } : value;
}

export interface PublicHarness {
  readonly store: Store;
  readonly clock: TestClock;
  readonly log: string[];
  readonly refusals: Refusals;
  readonly printed: string[];
  /** The number of times the worker was woken. */
  readonly woken: () => number;
  send(path: string, init?: RequestInit, peer?: string | null): Promise<Response>;
  handle(request: Request): Promise<Response>;
  drain(): void;
  /** The number of stored deliveries and deployments. */
  countStored(): Promise<number>;
  close(): Promise<void>;
}

export interface HarnessOptions {
  readonly targets?: readonly Target[];
  readonly maxBody?: number;
  readonly maxUnverified?: number;
  readonly trustedProxies?: readonly string[];
  readonly clientIpHeader?: string;
  readonly print?: boolean;
  /** Called for every response. */
  readonly count?: (source: string, status: string, code: string | null) => void;
  readonly isAllowed?: (source: Source, address: string | null) => boolean;
  /** Replaces a part of the store. */
  readonly store?: Partial<Store>;
}

/** The public listener over a real store in a temporary directory, without a port. */
export async function openPublic(options: HarnessOptions = {}): Promise<PublicHarness> {
  const directory = await mkdtemp(join(tmpdir(), "hooklatch-test-"));
  const opened = await stores.sqlite(directory);
  const store: Store = { ...opened, ...options.store };
  const clock = new TestClock();
  const log: string[] = [];
  const printed: string[] = [];
  let woken = 0;
  const sources: readonly Source[] = [
    {
      name: "github",
      provider: "github",
      path: "/github-webhook",
      handler: github.createHandler({
        secrets: [secretOf("an older secret, still valid"), secretOf(GITHUB_SECRET)],
      }),
      print: options.print ?? false,
      keepHeaders: [],
      answer: { kind: "receipt" },
      onRedelivery: "run",
      allow: null,
    },
    {
      name: "webhook",
      provider: "generic",
      path: "/webhook",
      handler: generic.createHandler({ verify_token: secretOf(VERIFY_TOKEN), client_timeout: DAY }),
      print: options.print ?? false,
      keepHeaders: [],
      answer: { kind: "receipt" },
      onRedelivery: "run",
      allow: null,
    },
  ];
  const targetsOf = ({ name }: Source) => (options.targets ?? []).filter((target) => target.source === name);
  const locks = createLocks({
    store,
    targets: () => options.targets ?? [],
    clock,
    log: logInto(log),
    publish: () => {},
    wakeWorker: () => {},
  });
  const tools = {
    store,
    clock,
    log: logInto(log),
    refusals: createRefusals({ clock, logThrottled: createThrottledLog(logInto(log), clock) }),
    routeDelivery: createRouter({ targetsOf, locks, clock }),
    attemptLimiter: createAttemptLimiter(clock),
    publish: () => {},
    print: (line: string) => void printed.push(line),
    wakeWorker: () => void woken++,
    targets: () => options.targets ?? [],
  };
  const listener = createPublic({
    sources,
    maxBody: options.maxBody ?? 64 * 1024,
    bodyBudget: createBodyBudget(options.maxUnverified ?? 1024 * 1024, () => {}),
    trustedProxies: (options.trustedProxies ?? []).map(parseTrustedProxy),
    clientIpHeader: options.clientIpHeader ?? "X-Forwarded-For",
    isAllowed: options.isAllowed ?? (() => true),
    refusals: tools.refusals,
    logErrorThrottled: createThrottledLog(logInto(log), clock, "error"),
    receive: (source, request) => receive(source, request, tools),
    authorise: (source, handshake, request) => authorise(source, handshake, request, tools),
    count: options.count ?? (() => {}),
    log: tools.log,
    store,
    clock,
    eventBus: createEventBus(clock),
    closing: new AbortController().signal,
  });
  return {
    store,
    clock,
    log,
    refusals: tools.refusals,
    printed,
    woken: () => woken,
    send: async (path, init, peer = "192.0.2.1") =>
      listener.handle(new Request(`http://hooks.test${path}`, init), peer),
    handle: async (request) => listener.handle(request, "192.0.2.1"),
    drain: listener.drain,
    async countStored() {
      let id = 0;
      while ((await opened.readDelivery(id + 1)) !== null) id++;
      let deployment = 0;
      while ((await opened.readDeployment(deployment + 1)) !== null) deployment++;
      return id + deployment;
    },
    async close() {
      await opened.close();
      await rm(directory, { recursive: true });
    },
  };
}
