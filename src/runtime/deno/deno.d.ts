/** What `spawnProcess` and `sendDatagram` use of Deno (https://docs.deno.com/api/deno/~/Deno.Command, …/~/Deno.dlopen). */
declare namespace Deno {
  class Command {
    constructor(
      program: string,
      options: {
        readonly args: readonly string[];
        readonly cwd: string;
        readonly env: Readonly<Record<string, string>>;
        readonly clearEnv: boolean;
        readonly stdin: "null";
        readonly stdout: "piped";
        readonly stderr: "null";
        readonly detached: boolean;
      },
    );
    spawn(): {
      readonly pid: number;
      readonly stdout: ReadableStream<Uint8Array>;
      readonly status: Promise<{ readonly code: number; readonly signal: string | null }>;
    };
  }
  function dlopen(
    name: string,
    functions: Readonly<Record<string, { readonly parameters: readonly string[]; readonly result: string }>>,
  ): { readonly symbols: import("../datagram.ts").SocketCalls };
}
