/** An IP address that showed a source's verify token and may POST to that source for a while. */
export interface Client {
  /** The name of the source it may POST to, and to no other. */
  readonly source: string;
  /** Normalised: IPv4-mapped IPv6 is written as IPv4, IPv6 in its short form (RFC 5952). */
  readonly address: string;
  readonly authorisedAt: Date;
  readonly expiresAt: Date;
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
}
