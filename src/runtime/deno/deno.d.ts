/** What `spawnProcess` uses of Deno (https://docs.deno.com/api/deno/~/Deno.Command). */
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
}
