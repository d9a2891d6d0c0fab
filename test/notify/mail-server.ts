import { readFileSync } from "node:fs";
import { SMTPServer, type SMTPServerOptions } from "smtp-server";
import type { CertificatePair } from "../support/certificate.ts";

/** A message that a mail server accepted. */
export interface ReceivedMail {
  readonly from: string;
  readonly to: readonly string[];
  /** Whether it came over TLS. */
  readonly secure: boolean;
  /** The user that logged in; null without a login. */
  readonly user: string | null;
  /** Headers and body as sent, with LF. */
  readonly raw: string;
}

/** A mail server on loopback that records its messages. */
export interface MailServer extends AsyncDisposable {
  readonly port: number;
  readonly received: readonly ReceivedMail[];
}

/** The password that the server accepts. */
export const MAIL_PASSWORD = "a mail password of the tests";

/** Starts a mail server. It accepts every message without a login, and a login with {@link MAIL_PASSWORD}. Port 0 is a free one. */
export async function serveMail(
  options: SMTPServerOptions = {},
  certificate?: CertificatePair,
  port = 0,
): Promise<MailServer> {
  const received: ReceivedMail[] = [];
  const server = new SMTPServer({
    authOptional: true,
    // Without a certificate the library offers a public one, which no client may trust.
    ...(certificate === undefined
      ? { disabledCommands: ["STARTTLS"] }
      : { cert: readFileSync(certificate.cert), key: readFileSync(certificate.key) }),
    allowInsecureAuth: true,
    onAuth({ username, password }, _session, done) {
      if (password === MAIL_PASSWORD) done(null, { user: username });
      else done(new Error("no such user or password"));
    },
    onData(stream, { envelope, secure, user }, done) {
      const chunks: Buffer[] = [];
      stream.on("data", (chunk: Buffer) => chunks.push(chunk));
      stream.on("end", () => {
        received.push({
          from: envelope.mailFrom === false ? "" : envelope.mailFrom.address,
          to: envelope.rcptTo.map(({ address }) => address),
          secure,
          user: user === undefined ? null : String(user),
          raw: Buffer.concat(chunks).toString("utf8").replaceAll("\r\n", "\n"),
        });
        done();
      });
    },
    ...options,
  });
  // A client that refuses the certificate closes the connection.
  server.on("error", () => undefined);
  await new Promise<void>((resolve) => server.listen(port, "127.0.0.1", resolve));
  const address = server.server.address();
  if (address === null || typeof address === "string") throw new Error("the server has no port");
  return {
    port: address.port,
    received,
    [Symbol.asyncDispose]: () => new Promise<void>((resolve) => server.close(() => resolve())),
  };
}

/** The headers of a message by lower-case name, unfolded; a repeated one fails. */
export function headersOf({ raw }: ReceivedMail): ReadonlyMap<string, string> {
  const [head = ""] = raw.split("\n\n", 1);
  const headers = new Map<string, string>();
  for (const line of head.replaceAll(/\n[ \t]+/g, " ").split("\n")) {
    const colon = line.indexOf(":");
    const name = line.slice(0, colon).toLowerCase();
    if (headers.has(name)) throw new Error(`the header ${name} is repeated`);
    headers.set(name, line.slice(colon + 1).trim());
  }
  return headers;
}

/** The text of a message. */
export function textOf(mail: ReceivedMail): string {
  const body = mail.raw.slice(mail.raw.indexOf("\n\n") + 2);
  const encoding = headersOf(mail).get("content-transfer-encoding");
  if (encoding === "base64") return Buffer.from(body, "base64").toString("utf8").replaceAll("\r\n", "\n");
  if (encoding !== "quoted-printable") return body;
  const bytes = body
    .replaceAll("=\n", "")
    .replaceAll(/=([0-9A-F]{2})/g, (_, digits: string) => String.fromCharCode(Number.parseInt(digits, 16)));
  return Buffer.from(bytes, "latin1").toString("utf8");
}
