/** A request's body, or why it was not taken. */
export type BodyOutcome =
  | { readonly kind: "read"; readonly bytes: Uint8Array }
  | { readonly kind: "too large" }
  /** The sender hung up, or took too long: nobody is there to be answered. */
  | { readonly kind: "incomplete" };

/** Whether the Content-Length alone says that the body is over `limit` bytes. */
export function declaresMoreThan(limit: number, headers: Headers): boolean {
  return Number(headers.get("content-length") ?? 0) > limit;
}

/** Reads the whole body and stops as soon as it is over `limit` bytes, with or without a Content-Length. */
export async function readBody(request: Request, limit: number): Promise<BodyOutcome> {
  if (declaresMoreThan(limit, request.headers)) return { kind: "too large" };
  try {
    // The length is known and within the limit: the server lets no byte more through.
    if (request.headers.has("content-length")) return { kind: "read", bytes: await request.bytes() };
    return await readChunks(request, limit);
  } catch {
    return { kind: "incomplete" };
  }
}

async function readChunks(request: Request, limit: number): Promise<BodyOutcome> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of request.body ?? []) {
    size += chunk.byteLength;
    if (size > limit) return { kind: "too large" };
    chunks.push(chunk);
  }
  return { kind: "read", bytes: Buffer.concat(chunks, size) };
}
