/** The parts of an HTTP request. */
export interface FuzzRequest {
  readonly method: string;
  readonly target: string;
  readonly version: string;
  readonly headers: readonly (readonly [name: string, value: string])[];
  readonly body: Buffer;
  /** `length` sends a Content-Length header; a number sends chunks of at most that many bytes. */
  readonly framing: "length" | number;
}

/** Returns the value of a header, or undefined when it is missing. */
export function headerOf({ headers }: FuzzRequest, name: string): string | undefined {
  return headers.find(([other]) => other.toLowerCase() === name)?.[1];
}

/** Returns the request with the header replaced, or removed when the value is null. */
export function withHeader(request: FuzzRequest, name: string, value: string | null): FuzzRequest {
  const others = request.headers.filter(([other]) => other.toLowerCase() !== name);
  return { ...request, headers: value === null ? others : [...others, [name, value]] };
}

/** Returns the request line and headers, one byte for each character. */
export function writeHead({ method, target, version, headers, body, framing }: FuzzRequest): Buffer {
  const framingHeader =
    framing === "length" ? `Content-Length: ${body.length}` : "Transfer-Encoding: chunked";
  const lines = headers.map(([name, value]) => `${name}: ${value}`);
  return Buffer.from(
    `${[`${method} ${target} ${version}`, ...lines, framingHeader].join("\r\n")}\r\n\r\n`,
    "latin1",
  );
}

/** Returns the body in the framing of the request. */
export function writeBody({ body, framing }: FuzzRequest): Buffer {
  if (framing === "length") return body;
  const pieces: Buffer[] = [];
  for (let from = 0; from < body.length; from += framing) {
    const piece = body.subarray(from, from + framing);
    pieces.push(Buffer.from(`${piece.length.toString(16)}\r\n`), piece, Buffer.from("\r\n"));
  }
  return Buffer.concat([...pieces, Buffer.from("0\r\n\r\n")]);
}
