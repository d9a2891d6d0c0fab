import type { Page, PageRange } from "./page.ts";

/** An IP address that showed a source's verify token and may POST to that source for a while. */
export interface Client {
  /** The name of the only source that it may POST to. */
  readonly source: string;
  /** Normalised: IPv4-mapped IPv6 is written as IPv4, IPv6 in its short form (RFC 5952). */
  readonly address: string;
  readonly authorisedAt: Date;
  readonly expiresAt: Date;
}

/** A stored client. */
export interface StoredClient extends Client {
  /** Each authorisation gives the client a new, higher id. */
  readonly id: number;
}

/** Whether the client's authorisation has expired. It is still valid at `expiresAt`. */
export function hasExpired(client: Client, now: Date): boolean {
  return now.getTime() > client.expiresAt.getTime();
}

/** The part of the store that holds clients. */
export interface ClientStore {
  /** Stores the client, or updates the times of a stored one. It is on disk when this resolves. */
  authorise(client: Client): Promise<void>;
  findClient(source: string, address: string): Promise<Client | null>;
  /** Removes the client, unless it was authorised again since it was read. */
  forgetClient(client: Client): Promise<void>;
  /** The last authorised first. Includes expired clients until they POST again or are pruned. */
  listClients(source: string | null, range: PageRange): Promise<Page<StoredClient>>;
  /** Removes an address from one source, or from all with null. Resolves with the removed clients. */
  revokeClient(address: string, source: string | null): Promise<readonly Client[]>;
}
