import type { StaticDecode, TObject } from "@sinclair/typebox";
import type { Client } from "./client.ts";
import type { Event } from "./event.ts";
import type { Identity } from "./identity.ts";
import type { Secret } from "./secret.ts";

/** The dialect that a source speaks: how a request proves itself, and what its body says. */
export interface Provider {
  readonly name: string;
  /** One line for people: what sends this. */
  readonly summary: string;
  /** The provider's own keys in `[[source]]`, beside the ones that every source has. */
  readonly options: TObject;
  /** The key of `options` whose secret is made by us when the configuration leaves it out. */
  readonly generatedSecret: string;
  /** Whether its deliveries tell which branch of which repository was pushed. */
  readonly tellsPushes: boolean;
  /** Where a repository `owner/name` of this provider is cloned from; null when it cannot be known. */
  cloneUrl(repository: string): string | null;
  /** The provider with one source's settings in it, as `options` decodes them. */
  open(options: StaticDecode<TObject>): Dialect;
  /** The provider with this secret and its defaults, for a sender that has no configuration. */
  openWith(secret: Secret): Dialect;
}

/** A provider as its own file writes it down, with the settings that its schema promises. */
export interface ProviderWith<Options extends TObject> extends Omit<Provider, "open"> {
  readonly options: Options;
  readonly generatedSecret: keyof StaticDecode<Options> & string;
  open(options: StaticDecode<Options>): Dialect;
}

/** One source's provider at work. Pure: everything it needs is handed in, nothing is awaited. */
export interface Dialect {
  /** Media types it takes; anything else is answered 415. */
  readonly contentTypes: readonly string[];
  /** Lower-case names of headers of its own that are kept with a delivery. Never one that holds a secret. */
  readonly keptHeaders: readonly string[];
  /** How a client is admitted by a GET that shows a token; null where requests prove themselves. */
  readonly handshake: Handshake | null;
  /**
   * Checks who sent the request, over the raw bytes as they came.
   * `client` is what the store knows of the sender's address, for dialects with a handshake.
   */
  verify(request: RawRequest, client: Client | null, now: Date): Verdict;
  /** Decodes a verified request. Called only after `verify` said yes. */
  read(request: RawRequest): Reading;
  /** A request as the provider itself would send it, for `send` and the demo. */
  compose(message: Message): RawRequest;
}

/** A request as it came: nothing decoded. */
export interface RawRequest {
  readonly headers: Headers;
  readonly body: Uint8Array;
}

export type Verdict = { readonly ok: true } | { readonly ok: false; readonly refusal: Refusal };

/** Why a sender is not let in. Each is a `status` word of the answer, with code 401. */
export type Refusal = "signature verification failed" | "not authorised" | "authorisation timeout";

export type Reading =
  | {
      readonly ok: true;
      readonly event: Event;
      /** The decoded JSON value. */
      readonly payload: unknown;
      /** The payload as JSON text, for the file that commands may read. */
      readonly json: string;
      /** How the delivery is known again; null where each stands for itself. */
      readonly identity: Identity | null;
    }
  | {
      readonly ok: false;
      /** `undecodable`: not UTF-8 or not JSON (400). `misshapen`: JSON, but not what its event promises (422). */
      readonly kind: "undecodable" | "misshapen";
      /** Names fields, never their values. */
      readonly reason: string;
    };

/** How a token on a GET admits the client's address for a time. */
export interface Handshake {
  /** How long an admitted client may POST, in milliseconds. */
  readonly lifetime: number;
  /** Looks for the token in the query and the headers, compares it in constant time. */
  examine(query: URLSearchParams, headers: Headers): HandshakeVerdict;
  /** The headers of a GET that shows the token, for `send` and the demo. */
  present(): Headers;
}

export type HandshakeVerdict =
  | {
      readonly ok: true;
      /** What a `hub.mode=subscribe` handshake wants echoed; null for the plain form. */
      readonly challenge: string | null;
    }
  | { readonly ok: false };

/** What `send` is asked to say. */
export type Message =
  | { readonly kind: "ping"; readonly deliveryId: string; readonly form: boolean }
  | {
      readonly kind: "push";
      readonly deliveryId: string;
      readonly form: boolean;
      readonly repository: string;
      /** The full ref name. */
      readonly ref: string;
      readonly before: string;
      readonly after: string;
    }
  | {
      /** A payload from a file, byte for byte, under the event's name. */
      readonly kind: "payload";
      readonly event: string;
      readonly deliveryId: string;
      readonly form: boolean;
      readonly json: Uint8Array;
    };
