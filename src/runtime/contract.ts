import type { SendRequest } from "../lib/http-client.ts";

/**
 * Everything the program needs of its runtime beyond the APIs that Bun and Deno share (`node:` modules, `fetch` types,
 * web streams). `bun/` implements it. Errors of the system carry its name for them in `code`, such as `EADDRINUSE`.
 */
export interface Runtime {
  readonly openHttpServer: (options: HttpServerOptions) => Promise<HttpServer>;
  readonly sendRequest: SendRequest;
  /** Starts a process. Throws when it cannot be started. */
  readonly spawnProcess: (argv: readonly string[], options: SpawnOptions) => ChildProcess;
  /** Opens a database file, or creates it. Throws an error that {@link Runtime.sqliteErrorCode} knows. */
  readonly openSqlite: (file: string, access?: "read-only") => SqliteDatabase;
  /** SQLite's extended result code (https://www.sqlite.org/rescode.html); null for an error that is not SQLite's. */
  readonly sqliteErrorCode: (error: unknown) => number | null;
  /** Compresses bytes to one zstd frame that names their length, at a level from 1 to 22. */
  readonly compressZstd: (bytes: Uint8Array, level: number) => Uint8Array;
  /** Hashes a password with argon2id and a fresh salt, as a PHC string. Rejects when it is empty. */
  readonly hashArgon2id: (password: string, cost: Argon2Cost) => Promise<string>;
  /** Whether a password matches a PHC string of argon2id. */
  readonly verifyArgon2id: (password: string, hash: string) => Promise<boolean>;
  /** Terminal columns that a text takes; escape sequences take none. */
  readonly stringWidth: (text: string) => number;
  /** A text of at most `columns` terminal columns, which ends with `…` where it was cut. Escape sequences stay whole. */
  readonly truncateColumns: (text: string, columns: number) => string;
  /** Breaks a text between words into lines of at most `columns` terminal columns. Longer words are cut. */
  readonly wrapColumns: (text: string, columns: number) => readonly string[];
  /**
   * Starts a thread that runs a module of this program, by its path below `src`. The build has to name the module as an
   * entry point.
   */
  readonly startThread: (module: string, listeners: ThreadListeners) => Thread;
  /** In a thread: calls `onMessage` with each message to it. Returns the function that sends one back. */
  readonly receiveInThread: (onMessage: (message: unknown) => void) => (message: unknown) => void;
  /**
   * Sends a datagram to a unix socket, whose name starts with `@` for an abstract one. Returns false when it was not sent:
   * nothing receives there, or the runtime has no such sockets.
   */
  readonly sendDatagram: (socket: string, text: string) => boolean;
  /** Returns unused memory to the system, in a few milliseconds. */
  readonly collectGarbage: () => void;
}

/** Where an HTTP server listens and what it serves. */
export interface HttpServerOptions {
  readonly address:
    | { readonly kind: "port"; readonly host: string /** 0 picks a free one. */; readonly port: number }
    | {
        readonly kind: "socket";
        readonly path: string;
        /** Called each time the server bound `path`, and before it replies there. The caller may move the socket. */
        readonly onBound: () => void;
      };
  /** PEM; null for plain HTTP. */
  readonly certificate: TlsCertificate | null;
  /**
   * Bytes of the largest body that reaches `handle`; a larger one may get a bare 413. Null for no limit, when `handle`
   * limits what it reads itself.
   */
  readonly maxBody: number | null;
  /**
   * Handles a request; `peer` is the client's address, null through a unix socket and when the connection is closed. A
   * response of type `text/event-stream` may take any time; every other exchange has a deadline.
   */
  readonly handle: (request: Request, peer: string | null) => Response | Promise<Response>;
}

/** A certificate chain and its key, PEM. */
export interface TlsCertificate {
  readonly cert: string;
  readonly key: string;
}

/** A listening server. */
export interface HttpServer {
  /** 0 for a unix socket. */
  readonly port: number;
  /**
   * Uses another certificate for new connections, without losing one; open connections go on. Throws when it cannot be
   * used, and the old one stays. Only for a server that was opened with a certificate.
   */
  replaceCertificate(certificate: TlsCertificate): void;
  /**
   * Accepts no new connection until {@link HttpServer.resume}: the kernel ignores them, and their clients try again.
   * Closes connections that were not accepted yet, and idle ones. Returns false where new connections cannot be ignored:
   * on unix sockets, and on systems other than Linux.
   */
  pause(): boolean;
  /** Ends a {@link HttpServer.pause}. */
  resume(): void;
  /** Accepts no new connection, gives requests in progress `grace` milliseconds, then closes all connections. */
  stop(grace: number): Promise<void>;
}

/** A thread of this process. Messages arrive in order, as copies (the structured clone algorithm). */
export interface Thread {
  /** Sends a message. The buffers in `moved` are not copied, and become empty here. */
  post(message: unknown, moved?: readonly ArrayBuffer[]): void;
  /** Ends it at once, in the middle of what it does. */
  end(): void;
}

/** The calls that a thread causes. */
export interface ThreadListeners {
  readonly onMessage: (message: unknown) => void;
  /** Called once when the thread has ended, with the reason. */
  readonly onEnd: (reason: string) => void;
}

/** How a process starts. */
export interface SpawnOptions {
  readonly cwd: string;
  /** The whole environment: nothing is inherited. */
  readonly env: Readonly<Record<string, string>>;
}

/** A process that leads a session and process group of its own. It has no standard input and no standard error. */
export interface ChildProcess {
  readonly pid: number;
  readonly stdout: ReadableStream<Uint8Array>;
  /** Resolves when the process has ended, also while others hold its output open. */
  readonly exited: Promise<{ readonly exitCode: number | null; readonly signal: string | null }>;
}

/** A SQLite database. */
export interface SqliteDatabase {
  prepare<Row, Values extends SqliteValues = Record<never, never>>(sql: string): SqliteStatement<Row, Values>;
  /** Runs one or more statements without parameters. */
  execute(sql: string): void;
  /** Whether a transaction is open. */
  readonly inTransaction: boolean;
  /** Closes the file, also while statements are prepared. */
  close(): void;
}

/** A statement with `$name` parameters. Whole numbers are bound as integers. */
export interface SqliteStatement<Row, Values extends SqliteValues> {
  get(values: Values): Row | null;
  all(values: Values): Row[];
  /** Reads row by row; leaving the loop early ends the query. */
  iterate(values: Values): Iterable<Row>;
  /** The number of changed rows, and the id of an inserted one. */
  run(values: Values): { readonly changes: number; readonly lastInsertRowid: number | bigint };
}

export type SqliteValues = Readonly<Record<string, string | number | Uint8Array | null>>;

/** The cost of a hash: memory in KiB, and passes over it. */
export interface Argon2Cost {
  readonly memoryCost: number;
  readonly timeCost: number;
}
