import { sendWith } from "../datagram.ts";
import { openLibc } from "../libc.ts";

/** Deno's own sockets of this kind need `--unstable-net`. */
export function sendDatagram(socket: string, text: string): boolean {
  const libc = openLibc(openSymbols);
  return libc !== null && sendWith(libc, socket, text);
}

function openSymbols(name: string) {
  return Deno.dlopen(name, {
    socket: { parameters: ["i32", "i32", "i32"], result: "i32" },
    sendto: { parameters: ["i32", "buffer", "usize", "i32", "buffer", "u32"], result: "isize" },
    close: { parameters: ["i32"], result: "i32" },
  }).symbols;
}
