import { Database } from "bun:sqlite";
import { join } from "node:path";
import type { RawAnswer } from "../support/raw.ts";
import { readStoredBody } from "../support/stored-data.ts";
import { isMember, KEYS, SIGNATURES } from "./keys.ts";

/** A delivery that a 2xx response names, and every signature and token in its request. */
interface Claim {
  readonly delivery: number;
  readonly credentials: ReadonlySet<string>;
}

const HEAD = Buffer.from("HEAD ");

interface Row {
  readonly source: string;
  readonly client: string;
}

/** A stored delivery. */
interface Stored extends Row {
  readonly body: Uint8Array;
}

/**
 * Checks every 2xx response independently of the program's own verification: the request must contain the signature of
 * the stored body or the bearer token, or its client must be one that sent the verify token.
 */
export class Judge {
  readonly violations: string[] = [];
  readonly accepts = { authenticated: 0, unauthenticated: 0 };
  readonly #claims: Claim[] = [];

  /** Records a response and all bytes that were sent on its connection. */
  record({ status, body }: RawAnswer, wire: Buffer): void {
    if (status === 500) this.violations.push(`500: ${body}`);
    if (status < 200 || status > 299) return;
    // A response to HEAD has no body. `checkStore` checks the addresses that it authorised.
    if (wire.subarray(0, 5).equals(HEAD)) return;
    const response = readJson(body);
    if (response?.status === "ok" && response.delivery === undefined) return;
    const credentials = credentialsIn(wire);
    if (typeof response?.delivery === "number")
      this.#claims.push({ delivery: response.delivery, credentials });
    else this.#count(credentials.has(KEYS.TOKEN), () => `authorised without the token: ${body}`);
  }

  /** Checks every claim and every authorised address against the store of the stopped server. */
  checkStore(dataDirectory: string): void {
    const database = new Database(join(dataDirectory, "hooklatch.db"), { readonly: true });
    const find = database.query<Row, [number]>("SELECT source, client FROM delivery WHERE id = ?");
    for (const { delivery, credentials } of this.#claims) {
      const row = find.get(delivery);
      const body = readStoredBody(database, delivery);
      if (row === null || body === null)
        this.violations.push(`delivery ${delivery} got a 2xx response and is not in the store`);
      else
        this.#count(
          isAuthenticated({ ...row, body }, credentials),
          () => `delivery ${delivery} of ${row.source}`,
        );
    }
    for (const { address } of database.query<{ address: string }, []>("SELECT address FROM client").all()) {
      if (!isMember(address)) this.violations.push(`${address} is authorised and sent no valid token`);
    }
    database.close();
  }

  #count(isAuthenticated: boolean, describe: () => string): void {
    this.accepts[isAuthenticated ? "authenticated" : "unauthenticated"] += 1;
    if (!isAuthenticated) this.violations.push(`accepted without authentication: ${describe()}`);
  }
}

function isAuthenticated({ source, client, body }: Stored, credentials: ReadonlySet<string>): boolean {
  if (source === "client") return isMember(client);
  if (source === "bearer") return credentials.has(KEYS.BEARER);
  const sign = Object.entries(SIGNATURES).find(([name]) => name === source)?.[1] ?? SIGNATURES.signed;
  return sign(body).some((signature) => credentials.has(signature));
}

/** Returns all signatures and tokens in the bytes, without parsing them as HTTP. */
function credentialsIn(wire: Buffer): ReadonlySet<string> {
  const text = wire.toString("latin1");
  const credentials = new Set(
    text.match(/sha256=[0-9a-f]{64}|(?<![0-9a-f=])[0-9a-f]{64}(?![0-9a-f])|[A-Za-z0-9+/]{86}==/g),
  );
  if (text.includes(KEYS.BEARER)) credentials.add(KEYS.BEARER);
  if (text.includes(KEYS.TOKEN) || text.includes(encodeURIComponent(KEYS.TOKEN))) credentials.add(KEYS.TOKEN);
  return credentials;
}

function readJson(text: string): Record<string, unknown> | null {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}
