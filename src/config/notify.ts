import type { NotificationSettings } from "../domain/notification.ts";
import type { ReadContext } from "./read/context.ts";
import { child, type Place } from "./read/issues.ts";
import { checkUnique } from "./read/limits.ts";
import { parseHttpUrl, warnOfPlainHttp } from "./read/network.ts";
import { formatValue, readTable, type Section } from "./read/table.ts";
import { NotifyTable } from "./schema.ts";
import { loadSecret, loadValue, warnOfLiteral } from "./secrets.ts";

const DEFAULT_ON: NotificationSettings["kinds"] = ["failed", "recovered"];

type NotifySection = Section<typeof NotifyTable>;

/** Checks everybody who is to be told of deployments. Those with a fault are left out; it was reported. */
export function readNotify(
  written: readonly { readonly table: unknown; readonly place: Place }[],
  targets: readonly string[],
  ground: ReadContext,
): readonly NotificationSettings[] {
  const sections = written.map(({ table, place }) => readTable(NotifyTable, table, place, ground.report));
  const settings = sections.map((section, index) => readOne(section, index, targets, ground));
  checkUnique(
    "name",
    "notify",
    sections.map(({ place, values }) => ({ place, value: values.name })),
    ground.report,
  );
  return settings.filter((one) => one !== undefined);
}

function readOne(
  section: NotifySection,
  index: number,
  targets: readonly string[],
  ground: ReadContext,
): NotificationSettings | undefined {
  const { values, place } = section;
  checkUrl(section, ground);
  checkSecret(section, ground);
  checkTargets(values.targets ?? [], targets, child(place, "targets"), ground);

  if (!section.sound || values.url === undefined) return undefined;
  return Object.freeze({
    // No name that is written has a space in it.
    name: values.name ?? `notify ${index + 1}`,
    url: values.url,
    secret: values.secret ?? null,
    format: values.format ?? "standard",
    kinds: Object.freeze(values.on ?? DEFAULT_ON),
    targets: values.targets === undefined ? null : Object.freeze(values.targets),
  });
}

function checkUrl({ place, values }: NotifySection, ground: ReadContext): void {
  const at = child(place, "url");
  if (values.url === undefined || !loadValue(values.url, at, ground)) return;
  const url = parseHttpUrl(values.url.reveal());
  if (url === undefined) {
    ground.report.fault(at, "expected an http or https URL without user and password, found something else");
    return;
  }
  // Whoever has the address of a chat room can write there; where the post is signed it is no secret.
  if (values.format === "slack") warnOfLiteral(values.url, at, ground);
  warnOfPlainHttp(url, at, ground);
}

function checkSecret({ has, place, values }: NotifySection, ground: ReadContext): void {
  const at = child(place, "secret");
  if (values.format === "slack") {
    if (has("secret")) ground.report.fault(at, 'expected none, as format "slack" signs nothing, found one');
    return;
  }
  if (!has("secret") && (values.format === "standard" || !has("format"))) {
    ground.report.fault(
      at,
      'expected the key that signs what is sent, such as `echo "whsec_$(openssl rand -base64 32)"` makes, found nothing',
    );
  }
  if (values.secret === undefined) return;
  loadSecret(values.secret, at, ground);
  if (values.secret.loaded && !isSigningKey(values.secret.reveal())) {
    ground.report.fault(at, 'expected "whsec_" and 24 to 64 bytes in base64, found something else');
  }
}

/** Whether it is a key as the Standard Webhooks specification 1.0.0 writes it ("Signature scheme"). */
function isSigningKey(text: string): boolean {
  const encoded = /^whsec_(.*)$/s.exec(text)?.[1] ?? "";
  const key = Buffer.from(encoded, "base64");
  // Decoding passes over what is no base64; encoding it again shows whether there was any.
  return key.toString("base64") === encoded && key.length >= 24 && key.length <= 64;
}

function checkTargets(
  names: readonly string[],
  known: readonly string[],
  place: Place,
  { report }: ReadContext,
): void {
  for (const [index, name] of names.entries()) {
    if (known.includes(name)) continue;
    const expected =
      known.length === 0
        ? "the name of a target, of which there is none"
        : `one of the targets ${known.map((target) => formatValue(target)).join(", ")}`;
    report.fault(child(place, index), `expected ${expected}, found ${formatValue(name)}`);
  }
}
