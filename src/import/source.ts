import type { Provider } from "../domain/provider.ts";
import { isAddressRange } from "../lib/ip-address.ts";
import { generic } from "../providers/generic/index.ts";
import { providers } from "../providers/index.ts";
import { hashPassword } from "../providers/password.ts";
import type { Proof } from "./proof.ts";
import type { SecretSlots } from "./secret-slots.ts";
import { KNOWN_SENDERS, type KnownSender } from "./senders.ts";
import type { Templates } from "./template.ts";
import type { TomlValue } from "./write-toml.ts";

/** The part of a source that checks its senders. */
export type SourceResult =
  | {
      readonly kind: "written";
      readonly provider: Provider;
      /** The keys of the provider, and `allow`. */
      readonly settings: { readonly [key: string]: TomlValue };
      /** The field of the sender's forms that holds the JSON. */
      readonly formField: string | null;
      readonly warnings: readonly string[];
      /** Whether senders must show a token that they did not need before. */
      readonly needsToken: boolean;
    }
  /** Completes "its rule …". */
  | { readonly kind: "impossible"; readonly reason: string };

/** What writing a source needs. */
export interface SourceServices {
  readonly slots: SecretSlots;
  readonly templates: Templates;
  /** Creates a random token. */
  readonly createToken: () => string;
}

type SenderProof = Exclude<Proof, { kind: "address" }>;

/** The parameter of the URL with the token of a hook that every sender could trigger. */
export const TOKEN_PARAMETER = "token";

/** Writes the checks of a source. All of the proofs must hold. */
export async function writeSource(
  proofs: readonly Proof[],
  { slots, templates, createToken }: SourceServices,
): Promise<SourceResult> {
  const [addresses, second] = proofs.filter((proof) => proof.kind === "address");
  if (second !== undefined) return impossible("has several lists of addresses, which must all hold");
  const invalid = addresses?.ranges.find((range) => !isAddressRange(range));
  if (invalid !== undefined) return impossible(`has an invalid address range, ${JSON.stringify(invalid)}`);
  const widened = addresses?.ranges.filter((range) => range.includes(":") && !range.includes("/")) ?? [];
  const warnings = widened.map((range) => `${range} means this address; adnanh/webhook admits its whole /32`);
  const allow = addresses === undefined ? {} : { allow: addresses.ranges };

  const senders = proofs.filter((proof) => proof.kind !== "address");
  const template = findTemplate(senders, templates);
  if (template !== null)
    return impossible(`has a secret with the template ${template}, which is not expanded`);
  const addSecrets = (secrets: readonly string[]) =>
    secrets.map((secret) => {
      const text = templates.toSecret(secret);
      return slots.add(text.kind === "template" ? { kind: "literal", text: secret } : text);
    });
  const [only] = senders;
  if (only === undefined) {
    const tokens = [slots.add({ kind: "literal", text: createToken() })];
    const settings = { query: { name: TOKEN_PARAMETER, tokens }, ...allow };
    return { kind: "written", provider: generic, settings, formField: null, warnings, needsToken: true };
  }
  const known = senders.length === 1 ? findSender(only) : undefined;
  const provider = providers.find(({ name }) => name === known?.provider);
  if (known !== undefined && provider !== undefined) {
    const settings = { secrets: addSecrets(only.secrets), ...allow };
    if (known.algorithm === "sha1") warnings.push(describeOldSignature(known));
    const { formField } = known;
    return { kind: "written", provider, settings, formField, warnings, needsToken: false };
  }
  const settings = await writeGeneric(senders, addSecrets, templates, warnings);
  if (typeof settings === "string") return impossible(settings);
  return {
    kind: "written",
    provider: generic,
    settings: { ...settings, ...allow },
    formField: null,
    warnings,
    needsToken: false,
  };
}

function impossible(reason: string): SourceResult {
  return { kind: "impossible", reason };
}

function findTemplate(proofs: readonly SenderProof[], templates: Templates): string | null {
  const names = proofs.map((proof) => templates.find(proof.kind === "signature" ? proof.header : proof.name));
  const inSecrets = proofs.flatMap(({ secrets }) =>
    secrets.map((secret) => {
      const text = templates.toSecret(secret);
      return text.kind === "template" ? text.template : null;
    }),
  );
  return [...names, ...inSecrets].find((template) => template !== null) ?? null;
}

function findSender(proof: SenderProof): KnownSender | undefined {
  if (proof.kind === "query") return undefined;
  const [header, algorithm] =
    proof.kind === "signature" ? [proof.header, proof.algorithm] : [proof.name.toLowerCase(), null];
  return KNOWN_SENDERS.find((sender) => sender.header === header && sender.algorithm === algorithm);
}

function describeOldSignature({ provider }: KnownSender): string {
  const current = KNOWN_SENDERS.find(
    (sender) => sender.provider === provider && sender.algorithm === "sha256",
  );
  return `the source verifies ${current?.header}, which the sender adds with the same secret; SHA-1 does not count`;
}

/** The keys of a generic source, or why there are none: completes "its rule …". */
async function writeGeneric(
  proofs: readonly SenderProof[],
  addSecrets: (secrets: readonly string[]) => readonly string[],
  templates: Templates,
  warnings: string[],
): Promise<{ readonly [key: string]: TomlValue } | string> {
  const settings: Record<string, TomlValue> = {};
  for (const proof of proofs) {
    const added =
      proof.kind === "signature"
        ? writeSignature(proof, addSecrets, warnings)
        : proof.kind === "query"
          ? { query: { name: proof.name, tokens: addSecrets(proof.secrets) } }
          : await writeHeader(proof, addSecrets, templates);
    if (typeof added === "string") return added;
    for (const [key, value] of Object.entries(added)) {
      if (settings[key] !== undefined) return `compares two different values of one kind ("${key}")`;
      settings[key] = value;
    }
  }
  return settings;
}

type Added = { readonly [key: string]: TomlValue } | string;

function writeSignature(
  { header, algorithm, secrets }: Extract<Proof, { kind: "signature" }>,
  addSecrets: (secrets: readonly string[]) => readonly string[],
  warnings: string[],
): Added {
  if (algorithm === "sha1") {
    return "has a signature with SHA-1, which no source accepts: let the sender sign with SHA-256";
  }
  const known = KNOWN_SENDERS.find((sender) => sender.header === header);
  const prefix = known?.prefix ?? (/-(?:256|512)$/.test(header) ? `${algorithm}=` : "");
  const expected = prefix === "" ? "hex digits alone" : `"${prefix}" and hex digits`;
  warnings.push(
    `the signature must be ${expected}; adnanh/webhook takes both: else change "prefix" in "hmac"`,
  );
  return { hmac: { header, algorithm, ...(prefix !== "" && { prefix }), secrets: addSecrets(secrets) } };
}

/** `Authorization` holds a token or a password behind the name of a scheme. */
async function writeHeader(
  { name, secrets }: Extract<Proof, { kind: "header" | "query" }>,
  addSecrets: (secrets: readonly string[]) => readonly string[],
  templates: Templates,
): Promise<Added> {
  const header = name.toLowerCase();
  const withScheme = secrets.map((secret) => /^(bearer|basic) (.+)$/is.exec(secret));
  const schemes = new Set(withScheme.map((match) => match?.[1]?.toLowerCase()));
  const [scheme, ...others] = schemes;
  if (header !== "authorization" || scheme === undefined || others.length > 0) {
    return { header: { name: header, tokens: addSecrets(secrets) } };
  }
  const credentials = withScheme.map((match) => match?.[2] ?? "");
  if (scheme === "bearer") return { bearer: addSecrets(credentials) };
  if (credentials.some((text) => templates.find(text) !== null)) return "has a password in a template";
  const users = [];
  for (const text of credentials) {
    const [, user, password] = /^([^:]*):(.+)$/s.exec(Buffer.from(text, "base64").toString()) ?? [];
    if (user === undefined || password === undefined)
      return "has an Authorization that is no user and password";
    users.push({ user, hash: addSecrets([await hashPassword(password)])[0] ?? "" });
  }
  return { basic: users };
}
