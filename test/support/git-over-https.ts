import { execFileSync } from "node:child_process";
import { join } from "node:path";
import type { CertificatePair } from "./certificate.ts";

const BACKEND = join(execFileSync("git", ["--exec-path"], { encoding: "utf8" }).trim(), "git-http-backend");

/** The parts of a received request that tests check. */
export interface SeenRequest {
  readonly path: string;
  readonly authorization: string | null;
}

/**
 * A real git server over HTTPS: the CGI program of git (git-http-backend(1)) behind HTTP Basic authentication. Serves
 * every repository below `root`.
 */
export class GitOverHttps {
  readonly seen: SeenRequest[] = [];
  readonly #server: ReturnType<typeof Bun.serve>;

  constructor(
    readonly root: string,
    certificate: CertificatePair,
    /** The required credentials, `<user>:<password>`; null for none. */
    readonly credentials: string | null,
    /** Answers authenticated requests that are not for git. */
    readonly other: (request: Request) => Response | Promise<Response> | null = () => null,
  ) {
    this.#server = Bun.serve({
      hostname: "127.0.0.1",
      port: 0,
      tls: { cert: Bun.file(certificate.cert), key: Bun.file(certificate.key) },
      fetch: (request) => this.#answer(request),
    });
  }

  get origin(): string {
    return `https://localhost:${this.#server.port}`;
  }

  url(path: string): string {
    return `${this.origin}/${path}`;
  }

  async stop(): Promise<void> {
    await this.#server.stop(true);
  }

  async #answer(request: Request): Promise<Response> {
    const { pathname } = new URL(request.url);
    const authorization = request.headers.get("authorization");
    this.seen.push({ path: pathname, authorization });
    if (this.credentials !== null && authorization !== `Basic ${btoa(this.credentials)}`) {
      return new Response("", { status: 401, headers: { "www-authenticate": 'Basic realm="git"' } });
    }
    return this.other(request) ?? runBackend(this.root, request);
  }
}

/** Runs the program of git as a CGI script (RFC 3875). */
async function runBackend(root: string, request: Request): Promise<Response> {
  const { pathname, search } = new URL(request.url);
  const backend = Bun.spawn([BACKEND], {
    env: {
      PATH: process.env.PATH,
      GIT_PROJECT_ROOT: root,
      GIT_HTTP_EXPORT_ALL: "1",
      GIT_CONFIG_GLOBAL: "/dev/null",
      REQUEST_METHOD: request.method,
      PATH_INFO: pathname,
      QUERY_STRING: search.slice(1),
      CONTENT_TYPE: request.headers.get("content-type") ?? "",
      HTTP_CONTENT_ENCODING: request.headers.get("content-encoding") ?? "",
      GIT_PROTOCOL: request.headers.get("git-protocol") ?? "",
      REMOTE_USER: "tester",
    },
    stdin: new Uint8Array(await request.arrayBuffer()),
    stdout: "pipe",
    stderr: "ignore",
  });
  const output = Buffer.from(await new Response(backend.stdout).arrayBuffer());
  const end = output.indexOf("\r\n\r\n");
  const headers = new Headers();
  let status = 200;
  for (const line of output.subarray(0, end).toString().split("\r\n")) {
    const [name = "", ...rest] = line.split(": ");
    if (name === "Status") status = Number(rest.join(": ").slice(0, 3));
    else headers.set(name, rest.join(": "));
  }
  return new Response(output.subarray(end + 4), { status, headers });
}
