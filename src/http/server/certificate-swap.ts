import { dlopen, ptr } from "bun:ffi";
import { readdirSync } from "node:fs";
import type { Certificate } from "../tls/certificate.ts";

/** A server of a listener, with the one certificate it was opened with. */
export interface ServerInstance {
  /** Tells each client with its next answer that it is the last one on this connection (RFC 9112, section 9.6). */
  retire(): void;
  /** Takes no new connection, closes those that nothing happens on, and resolves when the others are done. */
  stop(abruptly: boolean): Promise<void>;
}

/** Where the generations follow each other: a port or a unix socket. */
export interface Endpoint {
  /** Opens the next generation, which gets all new connections from then on. Throws when it cannot; then all is as before. */
  succeed(current: ServerInstance, certificate: Certificate): ServerInstance;
  /** Stops one that was succeeded. */
  leave(retired: ServerInstance): Promise<void>;
}

/**
 * How long in milliseconds a succeeded generation goes on. To stop it cuts who is still in the handshake or has not
 * sent a request yet; after this time there is none: the runtime ends a slow head after 12 s and an idle connection
 * after 60 s, to the next 4 s each, and who was not idle was told to connect again.
 */
const RETIREMENT = 90_000;

/** The succession on one seat. */
export interface CertificateSwap {
  renew(certificate: Certificate): void;
  stop(grace: number): Promise<void>;
}

/** Begins a succession. */
export function createCertificateSwap(
  first: ServerInstance,
  seat: Endpoint,
  retirement = RETIREMENT,
): CertificateSwap {
  let current = first;
  let isStopping = false;
  const retired = new Map<ServerInstance, ReturnType<typeof setTimeout>>();

  function retire(generation: ServerInstance): void {
    generation.retire();
    const timer = setTimeout(() => {
      // Until its last answer is given it can still be cut by a stop.
      void seat.leave(generation).finally(() => retired.delete(generation));
    }, retirement);
    timer.unref();
    retired.set(generation, timer);
  }

  return {
    renew(certificate) {
      if (isStopping) return;
      const next = seat.succeed(current, certificate);
      retire(current);
      current = next;
    },
    async stop(grace) {
      isStopping = true;
      for (const timer of retired.values()) clearTimeout(timer);
      await Promise.all([...retired.keys(), current].map((generation) => stop(generation, grace)));
    },
  };
}

async function stop(generation: ServerInstance, grace: number): Promise<void> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const graceOver = new Promise((resolve) => {
    timer = setTimeout(resolve, grace);
  });
  await Promise.race([generation.stop(false), graceOver]);
  clearTimeout(timer);
  await generation.stop(true);
}

/** How a server is opened on the port. */
export interface PortSeatTools {
  readonly port: number;
  /** Opens it beside those that are there (`shared`), or alone. Throws when it cannot. */
  open(certificate: Certificate, shared: boolean): ServerInstance;
  /** Throws when the runtime would not serve with this certificate. */
  tryOut(certificate: Certificate): void;
  /** Null where the kernel cannot be told who gets the new connections. */
  readonly load?: () => KernelPort | null;
}

/**
 * The seat that is a port. The first server has it to itself, so that a second hooklatch cannot have it; for the next
 * one it is shared, and the kernel told to send all new connections there. So none is lost: the other ways lose one or
 * two of those that come in the moment of the change.
 */
export function createEndpoint(first: ServerInstance, tools: PortSeatTools): Endpoint {
  const { port, open, tryOut, load = loadKernelPort } = tools;
  /** Everybody on the port, in the kernel's order (see {@link KernelPort}). */
  const seated = [first];
  let kernel: KernelPort | null | undefined;
  let newest = first;

  function remove(generation: ServerInstance): void {
    const place = seated.indexOf(generation);
    const last = seated.pop();
    if (last !== undefined && place >= 0 && place < seated.length) seated[place] = last;
  }

  function leave(generation: ServerInstance): Promise<void> {
    const stopped = generation.stop(false);
    if (seated.includes(generation)) {
      remove(generation);
      kernel?.steer(port, seated.indexOf(newest));
    }
    return stopped;
  }

  return {
    succeed(current, certificate) {
      kernel ??= load();
      if (kernel?.share(port)) {
        newest = open(certificate, true);
        seated.push(newest);
        // Unsteered, half of those who connect would still see the old certificate.
        if (!kernel.steer(port, seated.length - 1)) void leave(current);
        return newest;
      }
      tryOut(certificate);
      void leave(current);
      newest = open(certificate, false);
      seated.push(newest);
      return newest;
    },
    leave,
  };
}

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
