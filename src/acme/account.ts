import type { Client } from "acme-client";
import { type Acme, Refusal } from "./conversation.ts";
import type { Cabinet, KeptAccount } from "./keep.ts";

interface AccountSettings {
  readonly directory: string;
  readonly email: string | null;
}

/** A client that signs as the kept account; the CA is told when the e-mail address is another. */
export async function openAccount(
  acme: Acme,
  kept: KeptAccount,
  { directory, email }: AccountSettings,
  cabinet: Cabinet,
): Promise<Client> {
  const client = new acme.Client({ directoryUrl: directory, accountKey: kept.key, accountUrl: kept.url });
  if (kept.email !== email) {
    await client.updateAccount({ contact: contactOf(email) });
    cabinet.keepAccount({ ...kept, email });
  }
  return client;
}

/** Makes an account with a key of its own, agreeing to the CA's terms, and keeps it. */
export async function registerAccount(
  acme: Acme,
  { directory, email }: AccountSettings,
  cabinet: Cabinet,
): Promise<Client> {
  const key = await acme.crypto.createPrivateEcdsaKey("P-256");
  const client = new acme.Client({ directoryUrl: directory, accountKey: key });
  await client.createAccount({ termsOfServiceAgreed: true, contact: contactOf(email) });
  cabinet.keepAccount({ url: client.getAccountUrl(), key: key.toString(), email });
  return client;
}

/** Whether the CA says that it has no such account: it forgot it, or it is another CA at the same address. */
export function isUnknownAccount(error: unknown): boolean {
  return error instanceof Refusal && error.problem?.type === "accountDoesNotExist";
}

function contactOf(email: string | null): string[] {
  return email === null ? [] : [`mailto:${email}`];
}
