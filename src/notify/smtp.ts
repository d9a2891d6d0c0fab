import type { Transporter } from "nodemailer";
import type { Deployment } from "../domain/deployment.ts";
import { describeResult } from "../domain/deployment-result.ts";
import type { MailSettings, Notification, NotificationChannel, SendOutcome } from "../domain/notification.ts";
import { errorMessage, systemErrorCode } from "../lib/errors.ts";
import { shortenCommit, toOneLine } from "../lib/text.ts";
import { describeKind, type MessageOptions, nameTarget, requestedCommit } from "./message.ts";

/** Creates a channel that sends one plain text message to all recipients over SMTP (RFC 5321). */
export function createMailChannel(
  settings: MailSettings,
  publicUrl: string | null,
  options: MessageOptions,
): NotificationChannel {
  const { name, targets, kinds, host, from, to } = settings;
  const { timeout, signal } = options;
  return {
    name,
    targets,
    kinds,
    async send(notification, deployment) {
      const deadline = new AbortController();
      const timer = setTimeout(() => deadline.abort(), timeout);
      try {
        const transport = await createTransport(settings, timeout);
        const { rejected = [] } = await transport.sendMail({
          ...writeMail(notification, deployment, settings, publicUrl, options),
          from: { ...from },
          to: to.map((address) => ({ ...address })),
          signal: AbortSignal.any([deadline.signal, signal]),
        });
        // A retry would reach the others twice.
        return rejected.length === 0
          ? { kind: "taken" }
          : {
              kind: "refused",
              reason: `${host} accepted the message, but not for ${listAddresses(rejected)}`,
            };
      } catch (error) {
        if (signal.aborted) return { kind: "failed", reason: `hooklatch stopped before ${host} responded` };
        if (deadline.signal.aborted) {
          return { kind: "failed", reason: `${host} did not accept the message within ${timeout / 1000} s` };
        }
        return describeFailure(host, error, "sending");
      } finally {
        clearTimeout(timer);
      }
    },
  };
}

/** Connects to the server and logs in, without a message. Resolves with `taken` when that works. */
export async function tryMailServer(settings: MailSettings, timeout: number): Promise<SendOutcome> {
  try {
    const transport = await createTransport(settings, timeout);
    await transport.verify();
    return { kind: "taken" };
  } catch (error) {
    return describeFailure(settings.host, error, "connecting");
  }
}

async function createTransport(
  { host, port, tls, login }: MailSettings,
  timeout: number,
): Promise<Transporter> {
  // Loaded at its first use, because most servers send no mail.
  const { createTransport: create } = await import("nodemailer");
  return create({
    host,
    port,
    secure: tls === "implicit",
    requireTLS: tls === "starttls",
    ignoreTLS: tls === "none",
    // Explicit, because an environment variable can change the default.
    tls: { rejectUnauthorized: true, minVersion: "TLSv1.2" },
    ...(login !== null && { auth: { user: login.user, pass: login.password.reveal() } }),
    // Otherwise the message is sent without a login where the server offers none.
    forceAuth: login !== null,
    connectionTimeout: timeout,
    greetingTimeout: timeout,
    socketTimeout: timeout,
    socketCloseTimeout: 0,
    disableFileAccess: true,
    disableUrlAccess: true,
  });
}

const MAX_SUBJECT = 120;
const MAX_LINE = 2000;

/**
 * The subject and the text. The text of others is on one line each, so that it can neither add a header nor a line; the
 * library encodes what a header cannot hold. The id and the date are the same in all attempts.
 */
function writeMail(
  notification: Notification,
  deployment: Deployment,
  { from }: MailSettings,
  publicUrl: string | null,
  options: MessageOptions,
) {
  const { id, trigger, branch, subject, author, commitUrl } = deployment;
  const commit = deployment.commit ?? requestedCommit(deployment);
  const what = `${nameTarget(deployment, options)} ${describeKind(notification, deployment)}`;
  const facts: readonly (readonly [label: string, value: string | null])[] = [
    ["Reason", describeResult(deployment)],
    ["Commit", subject],
    ["Author", author],
    ["Branch", branch],
    ["Revision", commit],
    ["Page", commitUrl],
    ["Deployment", `${id} (${trigger})`],
    ["Server", publicUrl],
  ];
  const lines = facts.flatMap(([label, value]) =>
    value === null ? [] : [`${`${label}:`.padEnd(12)}${toOneLine(value, MAX_LINE)}`],
  );
  const place = [branch ?? "", commit === null ? "" : shortenCommit(commit)].filter(Boolean).join(" ");
  const about = subject ?? place;
  return {
    subject: toOneLine(about === "" ? what : `${what}: ${about}`, MAX_SUBJECT),
    text: `${what}.\n\n${lines.join("\n")}\n\n"hooklatch deployment log ${id}" shows the output.\n`,
    messageId: `<hooklatch.${notification.id}.${notification.createdAt.getTime()}@${domainOf(from.address)}>`,
    date: notification.createdAt,
    // RFC 3834, section 5: no automatic reply.
    headers: { "Auto-Submitted": "auto-generated" },
  };
}

function domainOf(address: string): string {
  return address.slice(address.lastIndexOf("@") + 1);
}

function listAddresses(rejected: readonly (string | { readonly address?: string | undefined })[]): string {
  return rejected.map((each) => (typeof each === "string" ? each : (each.address ?? ""))).join(", ");
}

/**
 * A server answers 5xx to what it will never accept, and 4xx to what it may accept later (RFC 5321, section 4.2.1).
 * The reason quotes its answer, except that to a login.
 */
function describeFailure(host: string, error: unknown, act: "sending" | "connecting"): SendOutcome {
  const code = systemErrorCode(error);
  const written = propertyOf(error, "responseCode");
  const status = typeof written === "number" ? written : null;
  if (code === "EAUTH" && status !== null) {
    const reason = `${host} rejected the login with ${status}: check user and password`;
    return { kind: status >= 500 ? "refused" : "failed", reason };
  }
  if (code === "ETLS" && status !== null) {
    const reason = `${host} offers no STARTTLS: use tls = "implicit", or the port for STARTTLS`;
    return { kind: "failed", reason };
  }
  if (status === null) {
    return { kind: "failed", reason: `${act} to ${host} failed: ${toOneLine(errorMessage(error), 200)}` };
  }
  const answer = toOneLine(String(propertyOf(error, "response") ?? status), 200);
  const kind = status >= 500 ? "refused" : "failed";
  return { kind, reason: `${host} did not accept the message: ${answer}` };
}

/** A property that the library sets on its errors. */
function propertyOf(error: unknown, key: "response" | "responseCode"): unknown {
  return error instanceof Error ? Reflect.get(error, key) : undefined;
}
