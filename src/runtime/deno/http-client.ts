import {
  type AgentOptions,
  Agent as HttpAgent,
  type IncomingMessage,
  request as requestHttp,
} from "node:http";
import { Agent as HttpsAgent, request as requestHttps } from "node:https";
import type { OutgoingRequest } from "../../lib/http-client.ts";
import { readIncomingBody } from "./incoming-body.ts";

/**
 * Sends a request with `node:http`. The errors of Deno's `fetch` have no code, and it knows neither unix sockets nor
 * connections that are closed after the response.
 */
export async function sendRequest(url: URL, request: OutgoingRequest): Promise<Response> {
  const { method = "GET", headers, body, signal, proxy, socketPath, ca, insecure = false } = request;
  signal.throwIfAborted();
  const isSecure = url.protocol === "https:";
  const send = isSecure ? requestHttps : requestHttp;
  const fields = new Headers(headers);
  if (body !== undefined) fields.set("content-length", String(Buffer.byteLength(body)));
  // Without these, the agent uses no proxy (https://nodejs.org/api/http.html#built-in-proxy-support).
  const agentOptions: AgentOptions = proxy === "none" ? {} : { proxyEnv: process.env };
  const agent = isSecure
    ? new HttpsAgent({ ...agentOptions, rejectUnauthorized: !insecure, ...(ca === undefined ? {} : { ca }) })
    : new HttpAgent(agentOptions);
  const { promise, resolve, reject } = Promise.withResolvers<IncomingMessage>();
  const outgoing = send(
    url,
    {
      method,
      agent,
      headers: Object.fromEntries(fields),
      ...(socketPath === undefined ? {} : { socketPath }),
    },
    resolve,
  );
  const abort = () => void outgoing.destroy(new DOMException("the request was aborted", "AbortError"));
  signal.addEventListener("abort", abort, { once: true });
  outgoing.on("error", reject);
  outgoing.end(body);
  const message = await promise;
  message.on("close", () => signal.removeEventListener("abort", abort));
  const { statusCode: status = 0 } = message;
  const isEmpty = method === "HEAD" || [204, 205, 304].includes(status);
  if (isEmpty) message.resume();
  return new Response(isEmpty ? null : readIncomingBody(message, null, () => void outgoing.destroy()), {
    status,
    headers: readHeaders(message),
  });
}

/** The headers as they were received. Repeated ones are joined here: a copy of `Headers` would lose an empty one. */
export function readHeaders({ rawHeaders }: IncomingMessage): Headers {
  const headers = new Headers();
  for (let at = 0; at + 1 < rawHeaders.length; at += 2) {
    const [name = "", value = ""] = [rawHeaders[at], rawHeaders[at + 1]];
    const earlier = headers.get(name);
    headers.set(name, earlier === null ? value : `${earlier}, ${value}`);
  }
  return headers;
}
