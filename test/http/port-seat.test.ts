import { afterEach, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Certificate, readCertificate } from "../../src/http/certificate.ts";
import { loadKernelPort } from "../../src/http/kernel-port.ts";
import { createPortSeat, type PortSeatTools } from "../../src/http/port-seat.ts";
import { beginSuccession, type Generation } from "../../src/http/succession.ts";
import { makeCertificate } from "../support/certificate.ts";
import { until } from "../support/until.ts";

setDefaultTimeout(120_000);

let certificate: Certificate;
let open: NamedServer[] = [];

beforeAll(() => {
  const directory = mkdtempSync(join(tmpdir(), "hooklatch-seat-"));
  certificate = readCertificate(makeCertificate(directory, "seat"), new Date());
  rmSync(directory, { recursive: true });
});
afterEach(async () => {
  await Promise.all(open.map((server) => server.stop(true)));
  open = [];
});

/** A server that answers with its number: 0 is the first. */
interface NamedServer extends Generation {
  readonly port: number;
  readonly stops: boolean[];
  isRetired: boolean;
}

function openNamed(port: number, shared: boolean): NamedServer {
  const name = open.length;
  const bun = Bun.serve({
    hostname: "127.0.0.1",
    port,
    reusePort: shared,
    fetch: () => new Response(String(name)),
  });
  const server: NamedServer = {
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
  const first = openNamed(0, false);
  const { port } = first;
  const seat = createPortSeat(first, {
    port,
    open: (_certificate, shared) => openNamed(port, shared),
    tryOut: () => {},
    ...tools,
  });
  return { first, port, seat };
}

/** Who answers 24 connections. */
async function whoAnswers(port: number): Promise<readonly string[]> {
  const answers = Array.from({ length: 24 }, async () =>
    (await fetch(`http://127.0.0.1:${port}/`, { keepalive: false })).text(),
  );
  return [...new Set(await Promise.all(answers))].sort();
}

describe("a seat on a port", () => {
  test.each([
    ["the oldest first", [0, 1, 2]],
    ["the youngest first", [2, 1, 0]],
    ["the middle first", [1, 0, 2]],
  ])("gives the newest all connections, also when the others leave, %s", async (_order, leaving) => {
    const { first, port, seat } = createSeat();
    let newest: Generation = first;
    for (const name of ["1", "2", "3"]) {
      newest = seat.succeed(newest, certificate);
      expect(await whoAnswers(port)).toEqual([name]);
    }
    for (const name of leaving) {
      const retired = open[name];
      if (retired !== undefined) await seat.leave(retired);
      expect(await whoAnswers(port)).toEqual(["3"]);
    }
    seat.succeed(newest, certificate);
    expect(await whoAnswers(port)).toEqual(["4"]);
  });

  test("stops the old one first where the kernel cannot be told, once the certificate was tried out", async () => {
    const tried: Certificate[] = [];
    const { first, port, seat } = createSeat({
      load: () => null,
      tryOut: (each) => void tried.push(each),
    });
    const next = seat.succeed(first, certificate);
    expect(tried).toEqual([certificate]);
    expect(await whoAnswers(port)).toEqual(["1"]);
    seat.succeed(next, certificate);
    expect(await whoAnswers(port)).toEqual(["2"]);
    expect(first.stops).toEqual([false]);
  });

  test("keeps the old one where the kernel cannot be told and the certificate cannot be served", async () => {
    const { first, port, seat } = createSeat({
      load: () => null,
      tryOut: () => {
        throw new Error("no such key");
      },
    });
    expect(() => seat.succeed(first, certificate)).toThrow("no such key");
    expect(await whoAnswers(port)).toEqual(["0"]);
  });

  test("stops the old one at once where the port can be shared but not steered", async () => {
    const kernel = loadKernelPort();
    const { first, port, seat } = createSeat({
      load: () => (kernel === null ? null : { ...kernel, steer: () => false }),
    });
    seat.succeed(first, certificate);
    expect(await whoAnswers(port)).toEqual(["1"]);
    expect(first.stops).toEqual([false]);
  });
});

describe("a succession", () => {
  test("tells the old one that it is retired, and has it leave when its retirement is over", async () => {
    const { first, port, seat } = createSeat();
    const succession = beginSuccession(first, seat, 1);
    succession.renew(certificate);
    expect(first.isRetired).toBe(true);
    await until(() => first.stops.length > 0);
    expect(first.stops).toEqual([false]);
    expect(await whoAnswers(port)).toEqual(["1"]);
    await succession.stop(0);
    expect(open.map(({ stops }) => stops.at(-1))).toEqual([false, true]);
  });

  test("stops those in retirement with the newest, and takes no other after", async () => {
    const { first, seat } = createSeat();
    const succession = beginSuccession(first, seat);
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
