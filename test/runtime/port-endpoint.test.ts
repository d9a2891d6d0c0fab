import { afterEach, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  createCertificateSwap,
  createEndpoint,
  loadKernelPort,
  type PortSeatTools,
  type ServerInstance,
} from "../../src/http/server/certificate-swap.ts";
import { type Certificate, readCertificate } from "../../src/http/tls/certificate.ts";
import { makeCertificate } from "../support/certificate.ts";
import { until } from "../support/until.ts";

setDefaultTimeout(120_000);

let certificate: Certificate;
let open: NumberedServer[] = [];

beforeAll(() => {
  const directory = mkdtempSync(join(tmpdir(), "hooklatch-seat-"));
  certificate = readCertificate(makeCertificate(directory, "seat"), new Date());
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
  isRetired: boolean;
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
    isRetired: false,
    retire() {
      server.isRetired = true;
    },
    stop(abruptly) {
      server.stops.push(abruptly);
      return bun.stop(abruptly);
    },
  };
  open.push(server);
  return server;
}

function createSeat(tools: Partial<PortSeatTools> = {}) {
  const first = openNumbered(0, false);
  const { port } = first;
  const seat = createEndpoint(first, {
    port,
    open: (_certificate, shared) => openNumbered(port, shared),
    tryOut: () => {},
    ...tools,
  });
  return { first, port, seat };
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
      const { first, port, seat } = createSeat();
      let newest: ServerInstance = first;
      for (const number of ["1", "2", "3"]) {
        newest = seat.succeed(newest, certificate);
        expect(await respondingServers(port)).toEqual([number]);
      }
      for (const number of leaving) {
        const retired = open[number];
        if (retired !== undefined) await seat.leave(retired);
        expect(await respondingServers(port)).toEqual(["3"]);
      }
      seat.succeed(newest, certificate);
      expect(await respondingServers(port)).toEqual(["4"]);
    },
  );

  test("without kernel support, the old instance stops before the new instance opens, after a test of the certificate", async () => {
    const tried: Certificate[] = [];
    const { first, port, seat } = createSeat({
      load: () => null,
      tryOut: (each) => void tried.push(each),
    });
    const next = seat.succeed(first, certificate);
    expect(tried).toEqual([certificate]);
    expect(await respondingServers(port)).toEqual(["1"]);
    seat.succeed(next, certificate);
    expect(await respondingServers(port)).toEqual(["2"]);
    expect(first.stops).toEqual([false]);
  });

  test("without kernel support, the old instance keeps running when the test of the certificate fails", async () => {
    const { first, port, seat } = createSeat({
      load: () => null,
      tryOut: () => {
        throw new Error("no such key");
      },
    });
    expect(() => seat.succeed(first, certificate)).toThrow("no such key");
    expect(await respondingServers(port)).toEqual(["0"]);
  });

  test("the old instance stops at once when the port can be shared but connections cannot be steered", async () => {
    const kernel = loadKernelPort();
    const { first, port, seat } = createSeat({
      load: () => (kernel === null ? null : { ...kernel, steer: () => false }),
    });
    seat.succeed(first, certificate);
    expect(await respondingServers(port)).toEqual(["1"]);
    expect(first.stops).toEqual([false]);
  });
});

describe("certificate swap between server instances", () => {
  test("retires the old instance and stops it when the retirement period ends", async () => {
    const { first, port, seat } = createSeat();
    const succession = createCertificateSwap(first, seat, 1);
    succession.renew(certificate);
    expect(first.isRetired).toBe(true);
    await until(() => first.stops.length > 0);
    expect(first.stops).toEqual([false]);
    expect(await respondingServers(port)).toEqual(["1"]);
    await succession.stop(0);
    expect(open.map(({ stops }) => stops.at(-1))).toEqual([false, true]);
  });

  test("stop ends all instances and ignores later certificates", async () => {
    const { first, seat } = createSeat();
    const succession = createCertificateSwap(first, seat);
    succession.renew(certificate);
    succession.renew(certificate);
    await succession.stop(0);
    succession.renew(certificate);
    expect(open.map(({ stops }) => stops)).toEqual([
      [false, true],
      [false, true],
      [false, true],
    ]);
  });
});
