import { createPrivateKey, generateKeyPairSync } from "node:crypto";
import type { AccountKey, AcmeClient } from "./client.ts";
import { AcmeResponseError, OrderError } from "./errors.ts";
import type { AcmeStorage, StoredAccount } from "./storage.ts";

/** Uses a stored account. Tells the CA, and stores it, when the e-mail address has changed. */
export async function openAccount(
  client: AcmeClient,
  stored: StoredAccount,
  email: string | null,
  storage: AcmeStorage,
): Promise<AccountKey> {
  const account = { key: createPrivateKey(stored.key), url: stored.url };
  if (stored.email !== email) {
    await client.post(account, stored.url, { contact: contactOf(email) });
    storage.saveAccount({ ...stored, email });
  }
  return account;
}

/** Creates an account with a new key, agrees to the CA's terms, and stores it. */
export async function createAccount(
  client: AcmeClient,
  email: string | null,
  storage: AcmeStorage,
): Promise<AccountKey> {
  const { privateKey: key } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const { newAccount } = await client.readDirectory();
  const payload = { termsOfServiceAgreed: true, contact: contactOf(email) };
  const { headers } = await client.post({ key, url: null }, newAccount, payload);
  const url = headers.get("location");
  if (url === null) throw new OrderError("the CA created an account without a URL");
  storage.saveAccount({ url, key: key.export({ type: "pkcs8", format: "pem" }).toString(), email });
  return { key, url };
}

/** Whether the CA has forgotten the account, or another CA is at its address. */
export function isUnknownAccount(error: unknown): boolean {
  return error instanceof AcmeResponseError && error.problem?.type === "accountDoesNotExist";
}

function contactOf(email: string | null): string[] {
  return email === null ? [] : [`mailto:${email}`];
}
