import { dlopen } from "bun:ffi";
import { sendWith } from "../datagram.ts";
import { openLibc } from "../libc.ts";

export function sendDatagram(socket: string, text: string): boolean {
  const libc = openLibc(openSymbols);
  return libc !== null && sendWith(libc, socket, text);
}

function openSymbols(name: string) {
  return dlopen(name, {
    socket: { args: ["i32", "i32", "i32"], returns: "i32" },
    sendto: { args: ["i32", "ptr", "u64", "i32", "ptr", "u32"], returns: "i64" },
    close: { args: ["i32"], returns: "i32" },
  }).symbols;
}
