import { readFileSync } from "node:fs";
import { isIP } from "node:net";
import { AppError, describeFileError } from "./errors.ts";

/** How to reach a database. Without a user, the driver takes the name of the system's user. */
export interface DatabaseAddress {
  /** A name, an address, or the directory of a unix socket. */
  readonly host: string;
  readonly port: number;
  readonly database: string;
  readonly user?: string;
  readonly password?: string;
  /** False for a connection without TLS. */
  readonly ssl:
    | false
    | { readonly rejectUnauthorized: true; readonly servername?: string; readonly ca?: string };
}

/** The address of a database, or what is wrong with its URL. The problem does not repeat the URL, which holds a password. */
export type ReadAddress =
  | { readonly kind: "address"; readonly address: DatabaseAddress; readonly isEncrypted: boolean }
  | { readonly kind: "invalid"; readonly problem: string };

const PARAMETERS = ["host", "port", "user", "sslmode", "sslrootcert"];

/**
 * Reads `postgres://user:password@host:port/database?sslmode=verify-full&sslrootcert=FILE`. The connection is encrypted and
 * the certificate verified, except to this machine (loopback or a unix socket: `?host=/run/postgresql`) and with
 * `sslmode=disable`.
 */
export function readDatabaseUrl(text: string): ReadAddress {
  const url = URL.parse(text);
  if (url === null || !["postgres:", "postgresql:"].includes(url.protocol)) {
    return invalid('expected a URL such as "postgres://user:password@db.internal/hooklatch"');
  }
  const parameters = url.searchParams;
  const unknown = [...parameters.keys()].find((key) => !PARAMETERS.includes(key));
  if (unknown !== undefined) {
    return invalid(`the URL has an unknown parameter; known are ${PARAMETERS.join(", ")}`);
  }
  const [database, username, password] = [url.pathname.slice(1), url.username, url.password].map(decode);
  if (database == null || username == null || password == null) {
    return invalid('the URL has a "%" that is not followed by two hexadecimal digits: write %25 for "%"');
  }
  if (database === "") return invalid("the URL names no database: end it with /NAME");
  const host = parameters.get("host") ?? url.hostname.replace(/^\[|\]$/g, "");
  if (host === "") return invalid("the URL names no host");
  const isLocal = host.startsWith("/") || isLoopback(host);
  const mode = parameters.get("sslmode") ?? (isLocal ? "disable" : "verify-full");
  if (mode !== "disable" && mode !== "verify-full") {
    return invalid('sslmode must be "verify-full" or "disable": other modes do not verify the server');
  }
  const user = username || parameters.get("user");
  const port = Number(url.port || parameters.get("port") || 5432);
  if (!Number.isInteger(port) || port < 1 || port > 65_535) return invalid("the port is not from 1 to 65535");
  const ca = mode === "disable" ? null : readRoot(parameters.get("sslrootcert"));
  if (ca?.kind === "invalid") return ca;
  return {
    kind: "address",
    isEncrypted: mode !== "disable" || isLocal,
    address: {
      host,
      port,
      database,
      ...(user && { user }),
      ...(password !== "" && { password }),
      ssl:
        ca === null
          ? false
          : {
              rejectUnauthorized: true,
              ...(isIP(host) === 0 && { servername: host }),
              ...(ca.text !== null && { ca: ca.text }),
            },
    },
  };
}

/** Null for a text with percent signs that encode nothing. */
function decode(text: string): string | null {
  try {
    return decodeURIComponent(text);
  } catch {
    return null;
  }
}

function isLoopback(host: string): boolean {
  return host === "localhost" || host === "::1" || /^127(\.\d{1,3}){3}$/.test(host);
}

function readRoot(file: string | null) {
  if (file === null) return { kind: "root", text: null } as const;
  try {
    return { kind: "root", text: readFileSync(file, "utf8") } as const;
  } catch (error) {
    return invalid(`the sslrootcert ${file} cannot be read: ${describeFileError(error)}`);
  }
}

function invalid(problem: string) {
  return { kind: "invalid", problem } as const;
}

/** The address of a URL that the configuration checked. Throws an {@link AppError} `configuration` when it is invalid. */
export function requireAddress(url: string): DatabaseAddress {
  const read = readDatabaseUrl(url);
  if (read.kind === "invalid") throw new AppError("configuration", `[store] url: ${read.problem}`);
  return read.address;
}
