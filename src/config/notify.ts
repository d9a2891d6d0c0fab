import type { NotificationSettings } from "../domain/notification.ts";
import { isLoopback } from "../lib/ip-address.ts";
import { MAIL_KEYS, NotifyTable, parseMailAddress } from "./notify-schema.ts";
import type { ReadContext } from "./read/context.ts";
import { child, describeChoice, formatValue, type Place } from "./read/issues.ts";
import { parseHttpUrl, warnOfPlainHttp } from "./read/network.ts";
import { type CheckedTable, checkUnique, readTable, type WrittenTable } from "./read/table.ts";
import { loadSecret, loadToken, loadValue, warnOfLiteral } from "./secrets.ts";

type NotifySettings = CheckedTable<typeof NotifyTable>;

/** Checks every `[[notify]]`. Returns those without faults. `targets` are the names of all targets as written. */
export function readNotify(
  written: readonly WrittenTable[],
  targets: readonly string[],
  context: ReadContext,
): readonly NotificationSettings[] {
  const tables = written.map(({ table, place }) => readTable(NotifyTable, table, place, context.issues));
  const channels = tables.map((table, index) => readChannel(table, index, targets, context));
  const names = tables.map(({ place, values }) => ({ place, name: values.name }));
  checkUnique("name", "notification", names, context.issues);
  return channels.filter((channel) => channel !== undefined);
}

function readChannel(
  settings: NotifySettings,
  index: number,
  targets: readonly string[],
  context: ReadContext,
): NotificationSettings | undefined {
  const { values, place, isValid } = settings;
  checkKeys(settings, context);
  if (values.format === "smtp") checkMail(settings, context);
  else {
    checkUrl(settings, context);
    checkSecret(settings, context);
  }
  checkTargets(values.targets ?? [], targets, child(place, "targets"), context);

  if (!isValid()) return undefined;
  const common = {
    // A written name cannot have a space.
    name: values.name ?? `notify ${index + 1}`,
    kinds: Object.freeze(values.on),
    targets: values.targets === undefined ? null : Object.freeze(values.targets),
  };
  if (values.format === "smtp") return toMailSettings(values, common);
  if (values.url === undefined) return undefined;
  return Object.freeze({
    ...common,
    format: values.format,
    url: values.url,
    secret: values.secret ?? null,
  });
}

/** Reports the keys that the format needs, and those of other formats. */
function checkKeys(
  { has, isValid, place, values: { format } }: NotifySettings,
  { issues }: ReadContext,
): void {
  if (!isValid(["format"])) return;
  const needed = format === "smtp" ? (["host", "from", "to"] as const) : (["url"] as const);
  for (const key of needed) {
    if (!has(key)) issues.fault(child(place, key), `is missing: format "${format}" needs ${NEEDS[key]}`);
  }
  for (const key of format === "smtp" ? (["url", "secret"] as const) : MAIL_KEYS) {
    if (!has(key)) continue;
    const remedy = format === "smtp" ? "remove it" : 'remove it, or set format = "smtp"';
    issues.fault(child(place, key), `has no effect with format "${format}": ${remedy}`);
  }
}

const NEEDS = {
  url: "the URL to POST to",
  host: 'a mail server, such as "mail.example.com"',
  from: 'the address of the sender, such as "hooklatch@example.com"',
  to: 'recipients, such as ["ops@example.com"]',
} as const;

/** A password, and everything that is sent after it, needs TLS on the way to another machine. */
function checkMail({ has, place, values }: NotifySettings, context: ReadContext): void {
  const { host, tls, password } = values;
  const { issues } = context;
  for (const [key, other] of [
    ["user", "password"],
    ["password", "user"],
  ] as const) {
    if (has(other) && !has(key)) issues.fault(child(place, key), `is missing: "${other}" is set`);
  }
  if (password !== undefined) loadToken(password, child(place, "password"), context);
  if (tls === "none" && host !== undefined && !isLoopback(host)) {
    const problem = 'sends everything in clear to another machine: use "starttls" or "implicit"';
    issues.fault(child(place, "tls"), problem);
  }
}

const PORTS = { starttls: 587, implicit: 465, none: 25 } as const;

function toMailSettings(
  { host, port, tls: written, user, password, from, to = [] }: NotifySettings["values"],
  common: Pick<NotificationSettings, "name" | "kinds" | "targets">,
): NotificationSettings | undefined {
  const sender = parseMailAddress(from ?? "");
  if (host === undefined || sender === null) return undefined;
  const tls = written ?? (isLoopback(host) ? "none" : "starttls");
  return Object.freeze({
    ...common,
    format: "smtp" as const,
    host,
    port: port ?? PORTS[tls],
    tls,
    login: user === undefined || password === undefined ? null : Object.freeze({ user, password }),
    from: sender,
    to: Object.freeze(to.flatMap((address) => parseMailAddress(address) ?? [])),
  });
}

function checkUrl({ place, values }: NotifySettings, context: ReadContext): void {
  const at = child(place, "url");
  if (values.url === undefined || !loadValue(values.url, at, context)) return;
  const url = parseHttpUrl(values.url.reveal());
  if (url === undefined) {
    context.issues.fault(at, "expected an http or https URL without a user or password");
    return;
  }
  // Knowing the URL of a chat room is enough to post there. A signed POST has a separate key.
  if (values.format !== "standard") warnOfLiteral(values.url, at, context);
  warnOfPlainHttp(url, at, context);
}

function checkSecret({ has, isValid, place, values }: NotifySettings, context: ReadContext): void {
  const { issues } = context;
  const at = child(place, "secret");
  if (values.format !== "standard") {
    if (has("secret")) issues.fault(at, `format "${values.format}" is not signed: remove the secret`);
    return;
  }
  if (!has("secret") && isValid(["format"])) {
    issues.fault(
      at,
      'is missing: format "standard" needs a signing key; `echo "whsec_$(openssl rand -base64 32)"` prints a new one',
    );
  }
  if (values.secret === undefined) return;
  loadSecret(values.secret, at, context);
  if (values.secret.loaded && !isSigningKey(values.secret.reveal())) {
    issues.fault(at, 'expected "whsec_" followed by 24 to 64 bytes in base64');
  }
}

/** Whether a text is a key in the format of Standard Webhooks 1.0.0 ("Signature scheme"). */
function isSigningKey(text: string): boolean {
  const encoded = /^whsec_(.*)$/s.exec(text)?.[1] ?? "";
  const key = Buffer.from(encoded, "base64");
  // The decoder skips invalid characters; only canonical base64 encodes to itself.
  return key.toString("base64") === encoded && key.length >= 24 && key.length <= 64;
}

function checkTargets(
  names: readonly string[],
  known: readonly string[],
  place: Place,
  { issues }: ReadContext,
): void {
  for (const [index, name] of names.entries()) {
    if (known.includes(name)) continue;
    const problem =
      known.length === 0
        ? `there is no target ${formatValue(name)}: none is configured`
        : describeChoice("the targets ", known, name);
    issues.fault(child(place, index), problem);
  }
}
