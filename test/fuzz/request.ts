/** A request in parts, before it is written. */
export interface FuzzRequest {
  readonly method: string;
  readonly target: string;
  readonly version: string;
  readonly headers: readonly (readonly [name: string, value: string])[];
  readonly body: Buffer;
  /** How the body's end is told: by its length, or by chunks of at most so many bytes. */
  readonly framing: "length" | number;
}

/** The header's value, or undefined where it is not there. */
export function headerOf({ headers }: FuzzRequest, name: string): string | undefined {
  return headers.find(([other]) => other.toLowerCase() === name)?.[1];
}

/** The same request with the header set, or without it. */
export function withHeader(request: FuzzRequest, name: string, value: string | null): FuzzRequest {
  const others = request.headers.filter(([other]) => other.toLowerCase() !== name);
  return { ...request, headers: value === null ? others : [...others, [name, value]] };
}

/** The head alone, one byte for each character. */
export function writeHead({ method, target, version, headers, body, framing }: FuzzRequest): Buffer {
  const framed = framing === "length" ? `Content-Length: ${body.length}` : "Transfer-Encoding: chunked";
  const lines = headers.map(([name, value]) => `${name}: ${value}`);
  return Buffer.from(
    `${[`${method} ${target} ${version}`, ...lines, framed].join("\r\n")}\r\n\r\n`,
    "latin1",
  );
}

/** The body as it follows the head. */
export function writeBody({ body, framing }: FuzzRequest): Buffer {
  if (framing === "length") return body;
  const pieces: Buffer[] = [];
  for (let from = 0; from < body.length; from += framing) {
    const piece = body.subarray(from, from + framing);
    pieces.push(Buffer.from(`${piece.length.toString(16)}\r\n`), piece, Buffer.from("\r\n"));
  }
  return Buffer.concat([...pieces, Buffer.from("0\r\n\r\n")]);
}
