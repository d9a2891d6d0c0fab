import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { makeCertificate } from "../../support/certificate.ts";
import { Workshop } from "../../support/executable.ts";
import { RawConnection } from "../../support/raw.ts";
import { chunked, type RawRequest, Shell, writeRequest } from "./shell.ts";

setDefaultTimeout(120_000);

let shell: Shell;

beforeAll(async () => {
  const workshop = new Workshop();
  const { cert, key } = makeCertificate(workshop.path, "server");
  const tls = `[server.tls]\ncert = ${JSON.stringify(cert)}\nkey = ${JSON.stringify(key)}\n`;
  shell = await Shell.open(tls, workshop);
});

afterAll(() => shell.close());

describe("on the HTTPS port", () => {
  test("plain HTTP is disconnected without a response, and nothing is stored", async () => {
    await shell.storesNothing(async () => {
      const plain = new URL(shell.url);
      plain.protocol = "http:";
      for (const bytes of [writeRequest(), "GET /healthz HTTP/1.0\r\n\r\n", "\0\0\0\0\r\n\r\n"]) {
        const connection = new RawConnection(plain).send(bytes);
        expect(await connection.untilClosed()).toEqual([]);
        expect(connection.unread).not.toContain("HTTP");
      }
    });
  });

  test.each<readonly [string, number, RawRequest]>([
    ["an unknown path", 404, { target: "/metrics" }],
    ["an unsupported method", 405, { method: "OPTIONS" }],
    ["a wrong signature", 401, { lines: ["X-Hub-Signature-256: sha256=0"] }],
    ["two Hosts", 400, { lines: ["Host: a.test", "Host: b.test"] }],
    [
      "Content-Length with Transfer-Encoding",
      400,
      { lines: ["Content-Length: 5", "Transfer-Encoding: chunked"], framed: chunked() },
    ],
    ["a head that is too large", 431, { lines: [`X-Long: ${"a".repeat(17_000)}`] }],
  ])("%s gets %d as without TLS and is not stored", async (_case, code, request) => {
    await shell.storesNothing(async () => expect(await shell.codes(writeRequest(request))).toEqual([code]));
  });
});
