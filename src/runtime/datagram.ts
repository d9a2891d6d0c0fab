const AF_UNIX = 1;
const SOCK_DGRAM = 2;
const SOCK_CLOEXEC = 0o2000000;
const MSG_DONTWAIT = 0x40;

/** Bytes of the longest path in an address (unix(7)). */
const MAX_PATH = 108;

/** The calls of the C library, which neither runtime offers for datagrams of unix sockets. */
export interface SocketCalls {
  readonly socket: (family: number, type: number, protocol: number) => number;
  readonly sendto: (
    ...sent: [socket: number, body: Bytes, length: number, flags: number, to: Bytes, toLength: number]
  ) => number | bigint;
  readonly close: (socket: number) => number;
}

type Bytes = Uint8Array<ArrayBuffer>;

/** Sends a datagram to a unix socket, as `Runtime.sendDatagram` has to. */
export function sendWith(libc: SocketCalls, path: string, text: string): boolean {
  const encode = (written: string) => new TextEncoder().encode(written);
  const name = encode(path.replace(/^@/, "\0"));
  if (name.length > MAX_PATH) return false;
  // sockaddr_un: the family has the byte order of the machine.
  const address = new Uint8Array([AF_UNIX, 0, ...name]);
  const body = encode(text);
  const socket = libc.socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (socket < 0) return false;
  const sent = libc.sendto(socket, body, body.length, MSG_DONTWAIT, address, address.length);
  libc.close(socket);
  return Number(sent) === body.length;
}
