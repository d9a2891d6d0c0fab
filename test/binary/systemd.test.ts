import { dlopen } from "bun:ffi";
import { afterEach, beforeEach, describe, expect, setDefaultTimeout, test } from "bun:test";
import { join } from "node:path";
import { Workshop } from "../support/executable.ts";
import { until } from "../support/until.ts";

setDefaultTimeout(120_000);

let workshop: Workshop;

beforeEach(() => {
  workshop = new Workshop();
});
afterEach(() => workshop.dispose());

/** A unix datagram socket, as that of a service manager; a name with `@` is an abstract one. */
function openManager(name: string) {
  const { symbols: libc } = dlopen("libc.so.6", {
    socket: { args: ["i32", "i32", "i32"], returns: "i32" },
    bind: { args: ["i32", "ptr", "u32"], returns: "i32" },
    recv: { args: ["i32", "ptr", "u64", "i32"], returns: "i64" },
    close: { args: ["i32"], returns: "i32" },
  });
  const [AF_UNIX, SOCK_DGRAM, MSG_DONTWAIT] = [1, 2, 0x40];
  const address = Buffer.from(`\u0001\0${name.replace(/^@/, "\0")}`);
  const socket = libc.socket(AF_UNIX, SOCK_DGRAM, 0);
  expect(libc.bind(socket, address, address.length)).toBe(0);
  const buffer = Buffer.alloc(1_000);
  return {
    /** The next datagram that arrived; null without one. */
    receive() {
      const length = Number(libc.recv(socket, buffer, buffer.length, MSG_DONTWAIT));
      return length < 0 ? null : buffer.toString("utf8", 0, length);
    },
    close: () => libc.close(socket),
  };
}

describe.if(process.platform === "linux")("serve", () => {
  test.each(["path", "abstract"])("reports to a service manager that it listens: %s", async (kind) => {
    const name = kind === "path" ? join(workshop.path, "notify") : `@hooklatch-test-${process.pid}`;
    const manager = openManager(name);
    const server = await workshop.serve([], { PORT: "0", NOTIFY_SOCKET: name });
    const received: string[] = [];
    await until(() => {
      const next = manager.receive();
      if (next !== null) received.push(next);
      return next === null && received.length > 0;
    });
    expect(received).toEqual(["READY=1"]);
    await server.end("SIGTERM");
    manager.close();
  });

  test("goes on without a service manager, with a warning", async () => {
    const socket = join(workshop.path, "missing");
    const server = await workshop.serve([], { PORT: "0", NOTIFY_SOCKET: socket });
    await until(() => server.log.some((entry) => entry.socket === socket && entry.level === "warn"));
    await server.end("SIGTERM");
  });
});
