import { Stranger } from "./strangers.ts";

/** Sends chunks of one byte from a process of its own until it is killed: `send-dust.ts URL CONNECTIONS`. */
const [url = "", connections] = process.argv.slice(2);
for (let count = 0; count < Number(connections); count++) new Stranger(new URL(url), "dust", true);
