import type { Client } from "acme-client";
import type { Acme } from "./client.ts";
import { AcmeResponseError } from "./errors.ts";
import type { AcmeStorage, StoredAccount } from "./storage.ts";

interface AccountSettings {
  /** The URL of the CA's directory. */
  readonly directory: string;
  readonly email: string | null;
}

/** Creates a client for a stored account. Updates the account at the CA when the e-mail address has changed. */
export async function openAccount(
  acme: Acme,
  stored: StoredAccount,
  { directory, email }: AccountSettings,
  storage: AcmeStorage,
): Promise<Client> {
  const client = new acme.Client({ directoryUrl: directory, accountKey: stored.key, accountUrl: stored.url });
  if (stored.email !== email) {
    await client.updateAccount({ contact: contactOf(email) });
    storage.saveAccount({ ...stored, email });
  }
  return client;
}

/** Creates an account with a new key, agrees to the CA's terms, stores it, and creates a client for it. */
export async function createAccount(
  acme: Acme,
  { directory, email }: AccountSettings,
  storage: AcmeStorage,
): Promise<Client> {
  const key = await acme.crypto.createPrivateEcdsaKey("P-256");
  const client = new acme.Client({ directoryUrl: directory, accountKey: key });
  await client.createAccount({ termsOfServiceAgreed: true, contact: contactOf(email) });
  storage.saveAccount({ url: client.getAccountUrl(), key: key.toString(), email });
  return client;
}

/** Whether the CA has forgotten the account, or another CA is at its address. */
export function isUnknownAccount(error: unknown): boolean {
  return error instanceof AcmeResponseError && error.problem?.type === "accountDoesNotExist";
}

function contactOf(email: string | null): string[] {
  return email === null ? [] : [`mailto:${email}`];
}
