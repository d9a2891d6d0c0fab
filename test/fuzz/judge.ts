import { Database } from "bun:sqlite";
import { join } from "node:path";
import { zstdDecompressSync } from "node:zlib";
import type { RawAnswer } from "../support/raw.ts";
import { isMember, KEYS, SIGNATURES } from "./keys.ts";

/** A delivery that a 2xx names, and everything in the request that may be the proof of it. */
interface Claim {
  readonly delivery: number;
  readonly shown: ReadonlySet<string>;
}

const HEAD = Buffer.from("HEAD ");

interface Row {
  readonly source: string;
  readonly client: string;
  readonly body: Uint8Array;
  readonly encoding: string;
}

/**
 * Judges every 2xx without asking the program how it came to it: the body that is kept must be one whose signature
 * stood in the request, its bearer token must have, or its client must be one that showed the verify token.
 */
export class Judge {
  readonly violations: string[] = [];
  readonly accepts = { proven: 0, unproven: 0 };
  readonly #claims: Claim[] = [];

  /** Hears of an answer and all bytes that were sent on its connection. */
  hear({ status, body }: RawAnswer, wire: Buffer): void {
    if (status === 500) this.violations.push(`500: ${body}`);
    if (status < 200 || status > 299) return;
    // An answer to HEAD has no body to tell anything; whom it admitted the store tells.
    if (wire.subarray(0, 5).equals(HEAD)) return;
    const said = readJson(body);
    if (said?.status === "ok" && said.delivery === undefined) return;
    const shown = proofsIn(wire);
    if (typeof said?.delivery === "number") this.#claims.push({ delivery: said.delivery, shown });
    else this.#count(shown.has(KEYS.TOKEN), () => `admitted without the token: ${body}`);
  }

  /** Looks every claim up in the store of the stopped server, and everybody who was admitted. */
  settle(dataDirectory: string): void {
    const database = new Database(join(dataDirectory, "hooklatch.db"), { readonly: true });
    const find = database.query<Row, [number]>(
      "SELECT source, client, body, body_encoding AS encoding FROM delivery WHERE id = ?",
    );
    for (const { delivery, shown } of this.#claims) {
      const row = find.get(delivery);
      if (row === null) this.violations.push(`delivery ${delivery} was answered with 2xx and is not kept`);
      else this.#count(isProven(row, shown), () => `delivery ${delivery} of ${row.source} has no proof`);
    }
    for (const { address } of database.query<{ address: string }, []>("SELECT address FROM client").all()) {
      if (!isMember(address)) this.violations.push(`${address} is admitted and showed no right token`);
    }
    database.close();
  }

  #count(proven: boolean, describe: () => string): void {
    this.accepts[proven ? "proven" : "unproven"] += 1;
    if (!proven) this.violations.push(`accepted without a right proof: ${describe()}`);
  }
}

function isProven({ source, client, body, encoding }: Row, shown: ReadonlySet<string>): boolean {
  if (source === "client") return isMember(client);
  if (source === "bearer") return shown.has(KEYS.BEARER);
  const bytes = encoding === "zstd" ? zstdDecompressSync(body) : body;
  const write = source === "github" ? SIGNATURES.github : SIGNATURES.signed;
  return write(bytes).some((signature) => shown.has(signature));
}

/** Signatures and tokens anywhere in what was sent, so that no reading of HTTP comes between. */
function proofsIn(wire: Buffer): ReadonlySet<string> {
  const text = wire.toString("latin1");
  const shown = new Set(text.match(/sha256=[0-9a-f]{64}|[A-Za-z0-9+/]{86}==/g));
  if (text.includes(KEYS.BEARER)) shown.add(KEYS.BEARER);
  if (text.includes(KEYS.TOKEN) || text.includes(encodeURIComponent(KEYS.TOKEN))) shown.add(KEYS.TOKEN);
  return shown;
}

function readJson(text: string): Record<string, unknown> | null {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}
