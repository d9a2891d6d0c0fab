import { createSocket, type Socket } from "node:dgram";
import { once } from "node:events";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type CertificatePair, makeCertificate } from "./certificate.ts";
import { freePort } from "./free-port.ts";

/** Whether Pebble, the test CA of Let's Encrypt, is installed (Debian package `pebble`). */
export const HAS_PEBBLE = Bun.which("pebble") !== null;

/**
 * A real ACME CA over HTTPS with its own certificate. It resolves every name except those under `.invalid` to
 * 127.0.0.1, and validates challenges on a given port. It rejects some nonces, and loses all its data when it stops.
 */
export class Pebble {
  /** The URL of the ACME directory. */
  readonly directory: string;
  /** The PEM certificate that clients verify its HTTPS certificate with. */
  readonly ca: string;
  readonly certificate: CertificatePair;
  readonly #path: string;
  readonly #port = freePort();
  #names: Socket | null = null;
  #child: Bun.Subprocess | null = null;

  /**
   * Creates the directory `path` for its files.
   * It validates challenges on `httpPort`. With `accountKeys`, base64url by key id, it requires external account binding.
   */
  constructor(
    path: string,
    readonly httpPort: number,
    readonly accountKeys: Readonly<Record<string, string>> | null = null,
  ) {
    mkdirSync(path, { recursive: true });
    this.#path = path;
    this.certificate = makeCertificate(path, "pebble");
    this.ca = readFileSync(this.certificate.cert, "utf8");
    this.directory = `https://localhost:${this.#port}/dir`;
  }

  /** Resolves when it answers requests. Does nothing when it already runs. */
  async start(): Promise<void> {
    if (this.#child !== null) return;
    this.#names = await serveNames();
    const config = join(this.#path, "pebble.json");
    const pebble = {
      listenAddress: `127.0.0.1:${this.#port}`,
      managementListenAddress: "",
      certificate: this.certificate.cert,
      privateKey: this.certificate.key,
      httpPort: this.httpPort,
      tlsPort: freePort(),
      externalAccountBindingRequired: this.accountKeys !== null,
      externalAccountMACKeys: this.accountKeys ?? {},
    };
    writeFileSync(config, JSON.stringify({ pebble }));
    this.#child = Bun.spawn(
      ["pebble", "-config", config, "-dnsserver", `127.0.0.1:${this.#names.address().port}`],
      {
        env: { PEBBLE_VA_NOSLEEP: "1", PEBBLE_WFE_NONCEREJECT: "15", PEBBLE_AUTHZREUSE: "0" },
        stdio: ["ignore", "ignore", "ignore"],
      },
    );
    let answers = false;
    while (!answers) {
      if (this.#child.exitCode !== null) throw new Error("pebble ended at its start");
      answers = await fetch(this.directory, { tls: { ca: this.ca } }).then(
        ({ ok }) => ok,
        () => false,
      );
    }
  }

  async stop(): Promise<void> {
    this.#names?.close();
    this.#names = null;
    this.#child?.kill("SIGKILL");
    await this.#child?.exited;
    this.#child = null;
  }
}

/** A DNS server (RFC 1035) that returns one address for all names. */
async function serveNames(): Promise<Socket> {
  const socket = createSocket("udp4");
  socket.on("message", (query, { port, address }) => socket.send(answerQuery(query), port, address));
  socket.bind(0, "127.0.0.1");
  await once(socket, "listening");
  return socket;
}

const HEADER = 12;
const TYPE_A = 1;
const LOOPBACK = [0xc0, HEADER, 0, TYPE_A, 0, 1, 0, 0, 0, 60, 0, 4, 127, 0, 0, 1];

function answerQuery(query: Buffer): Buffer {
  let at = HEADER;
  const labels: string[] = [];
  for (let length = query[at] ?? 0; length > 0; length = query[at] ?? 0) {
    labels.push(query.toString("latin1", at + 1, at + 1 + length));
    at += 1 + length;
  }
  const question = query.subarray(HEADER, at + 5);
  const isKnown = labels.at(-1) !== "invalid";
  const hasAnswer = isKnown && query.readUInt16BE(at + 1) === TYPE_A;
  const header = Buffer.alloc(HEADER);
  query.copy(header, 0, 0, 2);
  header.writeUInt16BE(isKnown ? 0x8180 : 0x8183, 2);
  header.writeUInt16BE(1, 4);
  header.writeUInt16BE(hasAnswer ? 1 : 0, 6);
  return Buffer.concat([header, question, Buffer.from(hasAnswer ? LOOPBACK : [])]);
}
