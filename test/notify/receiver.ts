/** A request that a receiver got. */
export interface Received {
  readonly method: string;
  readonly path: string;
  readonly headers: Headers;
  readonly body: string;
}

/** A server on loopback that records its requests. */
export interface Receiver extends AsyncDisposable {
  readonly origin: string;
  readonly received: readonly Received[];
}

/**
 * Starts a receiver.
 *
 * @param respond returns the response to a request by its number, which starts at 0.
 * @param port 0 selects a free port.
 */
export function receive(
  respond: (index: number) => Response | Promise<Response> = () => new Response("ok"),
  tls?: { readonly cert: string; readonly key: string },
  port = 0,
): Receiver {
  const received: Received[] = [];
  const server = Bun.serve({
    hostname: "127.0.0.1",
    port,
    ...(tls === undefined ? {} : { tls }),
    async fetch(request) {
      const { pathname, search } = new URL(request.url);
      received.push({
        method: request.method,
        path: pathname + search,
        headers: request.headers,
        body: await request.text(),
      });
      return respond(received.length - 1);
    },
  });
  return {
    origin: server.url.origin,
    received,
    [Symbol.asyncDispose]: () => server.stop(true),
  };
}
