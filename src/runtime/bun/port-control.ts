import { dlopen, ptr } from "bun:ffi";
import { readdirSync } from "node:fs";
import { openLibc } from "../libc.ts";

/**
 * Settings of a listening port that Bun does not offer. With `SO_REUSEPORT` and `SO_ATTACH_REUSEPORT_CBPF` (socket(7),
 * Linux 4.5) two servers of this process listen on one port and only the newer one gets connections. With
 * `SO_ATTACH_FILTER` a port ignores new connections for a while.
 */
export interface PortControl {
  /** Lets this user open a port again on which this process listens. Returns false when the kernel refuses. */
  share(port: number): boolean;
  /**
   * Directs every new connection to one server of a shared port, by its place in the kernel's order: a new server goes
   * to the end, and when one leaves, the last one takes its place. With no server at that place, connections are spread
   * over all of them. Returns false when the kernel refuses.
   */
  direct(port: number, place: number): boolean;
  /**
   * Makes the port ignore new connections, whose clients try again after 1, 3, 7 … seconds, and closes those that were
   * not accepted yet. Returns false when the kernel refuses.
   */
  pause(port: number): boolean;
  resume(port: number): void;
}

// Linux has the same numbers on x86-64 and arm64 (asm-generic/socket.h, linux/bpf_common.h).
const AF_INET = 2;
const AF_INET6 = 10;
const SOL_SOCKET = 1;
const SO_REUSEPORT = 15;
const SO_ATTACH_FILTER = 26;
const SO_DETACH_FILTER = 27;
const SO_ACCEPTCONN = 30;
const SO_ATTACH_REUSEPORT_CBPF = 51;

const BPF_RETURN_CONSTANT = 0x06;

/** Returns null on systems other than Linux and when the C library cannot be loaded. */
export function loadPortControl(): PortControl | null {
  const libc = openLibc(openSymbols);
  if (libc === null) return null;

  /** Descriptors of this process's sockets that listen on the port. */
  function findListening(port: number): readonly number[] {
    return listDescriptors().filter((fd) => isListening(fd) && portOf(fd) === port);
  }

  function isListening(fd: number): boolean {
    const [value, length] = [new Int32Array(1), new Uint32Array([4])];
    const result = libc?.getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, value, length);
    return result === 0 && value[0] === 1;
  }

  /** Null for sockets of other families. The port has the same offset in IPv4 and IPv6 addresses (ip(7), ipv6(7)). */
  function portOf(fd: number): number | null {
    const [bytes, length] = [new Uint8Array(128), new Uint32Array([128])];
    libc?.getsockname(fd, bytes, length);
    const address = new DataView(bytes.buffer);
    const isInternet = [AF_INET, AF_INET6].includes(address.getUint16(0, true));
    return isInternet ? address.getUint16(2) : null;
  }

  function set(port: number, option: number, value: NodeJS.TypedArray, length: number): boolean {
    // A socket on another address with the same port is set too, without effect.
    const results = findListening(port).map((fd) => libc?.setsockopt(fd, SOL_SOCKET, option, value, length));
    return results.includes(0);
  }

  /** Attaches a program of classic BPF that always returns one value. */
  function attach(port: number, option: number, returned: number): boolean {
    // One buffer, because the first struct points into it: a sock_fprog (number of instructions, their address) and its
    // only instruction, a sock_filter.
    const bytes = new Uint8Array(16 + 8);
    const program = new DataView(bytes.buffer);
    program.setUint16(0, 1, true);
    program.setBigUint64(8, BigInt(ptr(bytes) + 16), true);
    program.setUint16(16, BPF_RETURN_CONSTANT, true);
    program.setUint32(20, returned, true);
    return set(port, option, bytes, 16);
  }

  /** Bun's listening sockets do not block. */
  function closeUnaccepted(port: number): void {
    for (const listening of findListening(port)) {
      for (let fd = accept(listening); fd >= 0; fd = accept(listening)) libc?.close(fd);
    }
  }

  const accept = (listening: number) => libc?.accept4(listening, null, null, 0) ?? -1;

  return {
    share: (port) => set(port, SO_REUSEPORT, new Int32Array([1]), 4),
    direct: (port, place) => attach(port, SO_ATTACH_REUSEPORT_CBPF, place),
    pause(port) {
      // Keeps 0 bytes of every packet to the listening socket: open connections have sockets of their own.
      const isPaused = attach(port, SO_ATTACH_FILTER, 0);
      if (isPaused) closeUnaccepted(port);
      return isPaused;
    },
    resume(port) {
      set(port, SO_DETACH_FILTER, new Int32Array(1), 4);
    },
  };
}

/** Every descriptor that may be open: a process with file capabilities cannot list its own (proc(5)). */
function listDescriptors(): readonly number[] {
  try {
    return readdirSync("/proc/self/fd").map(Number);
  } catch {
    return Array.from({ length: 65_536 }, (_, fd) => fd);
  }
}

function openSymbols(name: string) {
  return dlopen(name, {
    getsockopt: { args: ["i32", "i32", "i32", "ptr", "ptr"], returns: "i32" },
    getsockname: { args: ["i32", "ptr", "ptr"], returns: "i32" },
    setsockopt: { args: ["i32", "i32", "i32", "ptr", "u32"], returns: "i32" },
    accept4: { args: ["i32", "ptr", "ptr", "i32"], returns: "i32" },
    close: { args: ["i32"], returns: "i32" },
  }).symbols;
}
