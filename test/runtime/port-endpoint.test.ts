import { afterEach, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Certificate, readCertificate } from "../../src/http/tls/certificate.ts";
import {
  createCertificateSwap,
  createPortEndpoint,
  type PortOptions,
  type ServerInstance,
} from "../../src/runtime/bun/certificate-swap.ts";
import { loadPortControl } from "../../src/runtime/bun/port-control.ts";
import type { TlsCertificate } from "../../src/runtime/index.ts";
import { makeCertificate } from "../support/certificate.ts";
import { until } from "../support/until.ts";

setDefaultTimeout(120_000);

let certificate: Certificate;
let open: NumberedServer[] = [];

beforeAll(() => {
  const directory = mkdtempSync(join(tmpdir(), "hooklatch-endpoint-"));
  certificate = readCertificate(makeCertificate(directory, "endpoint"), new Date());
  rmSync(directory, { recursive: true });
});
afterEach(async () => {
  await Promise.all(open.map((server) => server.stop(true)));
  open = [];
});

/** A server that responds with its number, starting at 0. */
interface NumberedServer extends ServerInstance {
  readonly port: number;
  readonly stops: boolean[];
  isDraining: boolean;
}

function openNumbered(port: number, shared: boolean): NumberedServer {
  const number = open.length;
  const bun = Bun.serve({
    hostname: "127.0.0.1",
    port,
    reusePort: shared,
    fetch: () => new Response(String(number)),
  });
  const server: NumberedServer = {
    port: bun.port ?? 0,
    stops: [],
    isDraining: false,
    drain() {
      server.isDraining = true;
    },
    stop(abruptly) {
      server.stops.push(abruptly);
      return bun.stop(abruptly);
    },
    closeIdle: () => void bun.closeIdleConnections(),
  };
  open.push(server);
  return server;
}

function createEndpoint(options: Partial<PortOptions> = {}) {
  const first = openNumbered(0, false);
  const { port } = first;
  const endpoint = createPortEndpoint(first, {
    port,
    open: (_certificate, shared) => openNumbered(port, shared),
    tryOut: () => {},
    ...options,
  });
  return { first, port, endpoint };
}

/** Returns the numbers of the servers that respond to 24 new connections. */
async function respondingServers(port: number): Promise<readonly string[]> {
  const numbers = Array.from({ length: 24 }, async () =>
    (await fetch(`http://127.0.0.1:${port}/`, { keepalive: false })).text(),
  );
  return [...new Set(await Promise.all(numbers))].sort();
}

describe("server instances on one port", () => {
  test.each([
    ["the oldest first", [0, 1, 2]],
    ["the newest first", [2, 1, 0]],
    ["the middle first", [1, 0, 2]],
  ])(
    "the newest instance receives all connections, also while the others stop, %s",
    async (_order, leaving) => {
      const { first, port, endpoint } = createEndpoint();
      let newest: ServerInstance = first;
      for (const number of ["1", "2", "3"]) {
        newest = endpoint.replace(newest, certificate);
        expect(await respondingServers(port)).toEqual([number]);
      }
      for (const number of leaving) {
        const replaced = open[number];
        if (replaced !== undefined) await endpoint.leave(replaced);
        expect(await respondingServers(port)).toEqual(["3"]);
      }
      endpoint.replace(newest, certificate);
      expect(await respondingServers(port)).toEqual(["4"]);
    },
  );

  test("without kernel support, the old instance stops before the new instance opens, after a test of the certificate", async () => {
    const tried: TlsCertificate[] = [];
    const { first, port, endpoint } = createEndpoint({
      load: () => null,
      tryOut: (each) => void tried.push(each),
    });
    const next = endpoint.replace(first, certificate);
    expect(tried).toEqual([certificate]);
    expect(await respondingServers(port)).toEqual(["1"]);
    endpoint.replace(next, certificate);
    expect(await respondingServers(port)).toEqual(["2"]);
    expect(first.stops).toEqual([false]);
  });

  test("without kernel support, the old instance keeps running when the test of the certificate fails", async () => {
    const { first, port, endpoint } = createEndpoint({
      load: () => null,
      tryOut: () => {
        throw new Error("no such key");
      },
    });
    expect(() => endpoint.replace(first, certificate)).toThrow("no such key");
    expect(await respondingServers(port)).toEqual(["0"]);
  });

  test("the old instance stops at once when the port can be shared but connections cannot be directed", async () => {
    const control = loadPortControl();
    const { first, port, endpoint } = createEndpoint({
      load: () => (control === null ? null : { ...control, direct: () => false }),
    });
    endpoint.replace(first, certificate);
    expect(await respondingServers(port)).toEqual(["1"]);
    expect(first.stops).toEqual([false]);
  });
});

describe("certificate swap between server instances", () => {
  test("drains the old instance and stops it when the drain time ends", async () => {
    const { first, port, endpoint } = createEndpoint();
    const swap = createCertificateSwap(first, endpoint, 1);
    swap.replaceCertificate(certificate);
    expect(first.isDraining).toBe(true);
    await until(() => first.stops.length > 0);
    expect(first.stops).toEqual([false]);
    expect(await respondingServers(port)).toEqual(["1"]);
    await swap.stop(0);
    expect(open.map(({ stops }) => stops.at(-1))).toEqual([false, true]);
  });

  test("stop ends all instances and ignores later certificates", async () => {
    const { first, endpoint } = createEndpoint();
    const swap = createCertificateSwap(first, endpoint);
    swap.replaceCertificate(certificate);
    swap.replaceCertificate(certificate);
    await swap.stop(0);
    swap.replaceCertificate(certificate);
    expect(open.map(({ stops }) => stops)).toEqual([
      [false, true],
      [false, true],
      [false, true],
    ]);
  });
});
