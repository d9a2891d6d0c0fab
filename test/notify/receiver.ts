/** What a receiver got. */
export interface Received {
  readonly method: string;
  readonly path: string;
  readonly headers: Headers;
  readonly body: string;
}

/** A real server on loopback that writes down what it gets. */
export interface Receiver extends AsyncDisposable {
  readonly origin: string;
  readonly received: readonly Received[];
}

/** Answers each request with what `answer` gives for its number, counted from 0; on a free port where none is told. */
export function receive(
  answer: (index: number) => Response | Promise<Response> = () => new Response("ok"),
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
      return answer(received.length - 1);
    },
  });
  return {
    origin: server.url.origin,
    received,
    [Symbol.asyncDispose]: () => server.stop(true),
  };
}
