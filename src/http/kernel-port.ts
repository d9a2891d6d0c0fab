import { dlopen, ptr } from "bun:ffi";
import { readdirSync } from "node:fs";

/**
 * What the kernel is asked, beyond what the runtime offers, so that two servers of this process can listen on one
 * port and only the newer one gets connections: socket(7) and `SO_ATTACH_REUSEPORT_CBPF` there, since Linux 4.5.
 */
export interface KernelPort {
  /** Lets this user open a port again that this process listens on. False when the kernel does not. */
  share(port: number): boolean;
  /**
   * Sends every new connection to one of the servers on a shared port, by its place in the kernel's order: a server is
   * added at the end, and where one leaves, the last takes its place. Where there is none at that place they are
   * spread over all. False when the kernel does not.
   */
  steer(port: number, place: number): boolean;
}

// The numbers are Linux's on x86-64 and arm64 alike (asm-generic/socket.h, linux/bpf_common.h).
const AF_INET = 2;
const AF_INET6 = 10;
const SOL_SOCKET = 1;
const SO_REUSEPORT = 15;
const SO_ACCEPTCONN = 30;
const SO_ATTACH_REUSEPORT_CBPF = 51;
const BPF_RETURN_CONSTANT = 0x06;

const ARCHITECTURES: Readonly<Record<string, string>> = { x64: "x86_64", arm64: "aarch64" };

/** Null on anything but Linux, and where the C library cannot be reached. */
export function loadKernelPort(): KernelPort | null {
  const architecture = ARCHITECTURES[process.arch];
  if (process.platform !== "linux" || architecture === undefined) return null;
  const libc = openLibc("libc.so.6") ?? openLibc(`libc.musl-${architecture}.so.1`);
  if (libc === null) return null;

  /** The descriptors of this process's sockets that listen on the port. */
  function findListening(port: number): readonly number[] {
    return listDescriptors().filter((fd) => isListening(fd) && portOf(fd) === port);
  }

  function isListening(fd: number): boolean {
    const [value, length] = [new Int32Array(1), new Uint32Array([4])];
    const failed = libc?.getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, value, length);
    return failed === 0 && value[0] === 1;
  }

  /** It stands at the same place in addresses of IPv4 and IPv6 (ip(7), ipv6(7)); null for other sockets. */
  function portOf(fd: number): number | null {
    const [bytes, length] = [new Uint8Array(128), new Uint32Array([128])];
    libc?.getsockname(fd, bytes, length);
    const address = new DataView(bytes.buffer);
    const isInternet = [AF_INET, AF_INET6].includes(address.getUint16(0, true));
    return isInternet ? address.getUint16(2) : null;
  }

  function set(port: number, option: number, value: NodeJS.TypedArray, length: number): boolean {
    // All are tried: one at another address with the same port takes no harm, and does not count.
    const results = findListening(port).map((fd) => libc?.setsockopt(fd, SOL_SOCKET, option, value, length));
    return results.includes(0);
  }

  return {
    share: (port) => set(port, SO_REUSEPORT, new Int32Array([1]), 4),
    steer(port, place) {
      // In one piece of memory, which stays as long as the kernel reads it: a struct sock_fprog (how many
      // instructions, and where they are), and the one instruction as a struct sock_filter.
      const bytes = new Uint8Array(16 + 8);
      const program = new DataView(bytes.buffer);
      program.setUint16(0, 1, true);
      program.setBigUint64(8, BigInt(ptr(bytes) + 16), true);
      program.setUint16(16, BPF_RETURN_CONSTANT, true);
      program.setUint32(20, place, true);
      return set(port, SO_ATTACH_REUSEPORT_CBPF, bytes, 16);
    },
  };
}

/** All that may be open: a process with capabilities of its file may not see its own list (proc(5)). */
function listDescriptors(): readonly number[] {
  try {
    return readdirSync("/proc/self/fd").map(Number);
  } catch {
    return Array.from({ length: 65_536 }, (_, fd) => fd);
  }
}

function openLibc(name: string) {
  try {
    return dlopen(name, {
      getsockopt: { args: ["i32", "i32", "i32", "ptr", "ptr"], returns: "i32" },
      getsockname: { args: ["i32", "ptr", "ptr"], returns: "i32" },
      setsockopt: { args: ["i32", "i32", "i32", "ptr", "u32"], returns: "i32" },
    }).symbols;
  } catch {
    return null;
  }
}
