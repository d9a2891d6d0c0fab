import type { Page, PageRange } from "./page.ts";

/** An IP address that showed a source's verify token and may POST to that source for a while. */
export interface Client {
  /** The name of the source it may POST to, and to no other. */
  readonly source: string;
  /** Normalised: IPv4-mapped IPv6 is written as IPv4, IPv6 in its short form (RFC 5952). */
  readonly address: string;
  readonly authorisedAt: Date;
  readonly expiresAt: Date;
}

/** A client as it is kept. */
export interface StoredClient extends Client {
  /** A higher one each time it is authorised. */
  readonly id: number;
}

/** Whether the client's time ran out. At the very moment of expiry it still counts. */
export function hasExpired(client: Client, now: Date): boolean {
  return now.getTime() > client.expiresAt.getTime();
}

/** The store's part that remembers clients. */
export interface ClientStore {
  /** Keeps the client, on disk before it resolves; a client already known gets the new times. */
  authorise(client: Client): Promise<void>;
  findClient(source: string, address: string): Promise<Client | null>;
  /** Forgets the client as it was found: one that was authorised again meanwhile stays. */
  forgetClient(client: Client): Promise<void>;
  /** The last authorised first. One whose time ran out is listed until it POSTs again or is removed as old. */
  listClients(source: string | null, range: PageRange): Promise<Page<StoredClient>>;
  /** Forgets an address at one source, or at all with null. Resolves with what was forgotten. */
  revokeClient(address: string, source: string | null): Promise<readonly Client[]>;
}
