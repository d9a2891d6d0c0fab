import type { StaticDecode, TObject } from "@sinclair/typebox";
import type { Secret } from "../lib/secret.ts";
import type { Client } from "./client.ts";
import type { RefusalCode } from "./codes.ts";
import type { DeliveryIdentity } from "./delivery.ts";
import type { Event } from "./event.ts";
import type { RangesPublisher } from "./published-ranges.ts";

/** The dialect that a source speaks: how a request proves itself, and what its body says. */
export interface Provider {
  readonly name: string;
  /** One line for people: what sends this. */
  readonly summary: string;
  /** The provider's own keys in `[[source]]`, beside the ones that every source has. */
  readonly options: TObject;
  /** The key of `options` whose secret is made by us when the configuration leaves it out. */
  readonly generatedSecret: string;
  /** Whether a source with these settings works with that secret at all: one that does not gets none made. */
  needsGeneratedSecret(options: StaticDecode<TObject>): boolean;
  /** What is wrong with settings that are sound one by one, once their secrets are loaded. */
  checkOptions(options: StaticDecode<TObject>): readonly OptionIssue[];
  /** Whether its deliveries tell which branch of which repository was pushed. */
  readonly reportsPushes: boolean;
  /** Where a repository `owner/name` of this provider is cloned from; null when it cannot be known. */
  cloneUrl(repository: string): string | null;
  /** Its source on a server without any configured one; left out when there is none. */
  readonly defaultSource?: DefaultSource;
  /** Environment variables that set options which the configuration leaves out. */
  readonly variables?: readonly OptionVariable[];
  /** The ranges that it publishes for its deliveries, which `allow` names by the provider's name. */
  readonly publishedRanges?: RangesPublisher;
  /** The base URL of the API that accepts commit statuses for its repositories on the public host. */
  readonly statusApi?: string;
  /** The provider with one source's settings in it, as `options` decodes them. */
  createHandler(options: StaticDecode<TObject>): SourceHandler;
  /** The provider with this secret and its defaults, for a sender that has no configuration. */
  createHandlerWithSecret(secret: Secret): SourceHandler;
}

/** A source that is there without being configured. */
export interface DefaultSource {
  readonly name: string;
  readonly path: string;
  /** The environment variable that may hold its generated secret (see {@link Provider.generatedSecret}). */
  readonly secretVariable: string;
}

/** An environment variable that sets an option. */
export interface OptionVariable {
  /** Such as `CLIENT_AUTH_TIMEOUT`. */
  readonly name: string;
  readonly option: string;
  /** Converts its text, which is not empty, to what the option decodes to. */
  parse(text: string): { readonly kind: "value"; readonly value: unknown } | InvalidVariable;
}

/** A variable that cannot be used; the message says what was expected and what was found. */
export interface InvalidVariable {
  readonly kind: "invalid";
  readonly message: string;
}

/** Something wrong with one of a provider's settings. */
export interface OptionIssue {
  /** The keys and indexes that lead to the setting. */
  readonly path: readonly (string | number)[];
  /** What was expected and what was found; never the value of a secret. */
  readonly message: string;
}

/** A provider as its own file writes it down, with the settings that its schema promises. */
export interface TypedProvider<Options extends TObject>
  extends Omit<Provider, "generatedSecret" | "needsGeneratedSecret" | "checkOptions" | "createHandler"> {
  readonly options: Options;
  readonly generatedSecret: keyof StaticDecode<Options> & string;
  needsGeneratedSecret(options: StaticDecode<Options>): boolean;
  checkOptions(options: StaticDecode<Options>): readonly OptionIssue[];
  createHandler(options: StaticDecode<Options>): SourceHandler;
}

/** One source's provider at work. Everything it needs is handed in, and only passwords are waited for. */
export interface SourceHandler {
  /** Media types it takes; anything else is answered 415. */
  readonly contentTypes: readonly string[];
  /** Lower-case names of headers of its own that are kept with a delivery. Never one that holds a secret. */
  readonly storedHeaders: readonly string[];
  /** Whether each delivery is answered with one word, `success`, whatever it says. */
  readonly answersSuccess: boolean;
  /** Whether a request shows what can be guessed, a token or a password. A signature cannot. */
  readonly usesGuessableSecrets: boolean;
  /** How a client is admitted by a GET that shows a token; null where requests prove themselves. */
  readonly handshake: Handshake | null;
  /**
   * Checks who sent the request, over the raw bytes as they came.
   * `client` is what the store knows of the sender's address, for dialects with a handshake.
   * Only a password makes it a promise, which rejects with a {@link Fault} `unavailable` when too many wait.
   */
  verify(request: RawRequest, client: Client | null, now: Date): VerifyResult | Promise<VerifyResult>;
  /** Decodes a verified request. Called only after `verify` said yes. */
  parse(request: RawRequest): ParseResult;
  /**
   * A request as the provider itself would send it, for `send` and the demo. Throws a {@link Fault} `configuration`
   * when it cannot be made with what is known here.
   */
  compose(message: SampleRequest): RawRequest;
}

/** A request as it came: nothing decoded. */
export interface RawRequest {
  readonly headers: Headers;
  readonly body: Uint8Array;
}

/** Whether a request proved who sent it. */
export type VerifyResult =
  | { readonly ok: true }
  | {
      readonly ok: false;
      readonly status: RefusalStatus;
      /** The exact reason, for the log and metrics. The sender never gets it. */
      readonly code: RefusalCode;
      /** Whether the failure counts towards the attempt limit: a wrong token or password, not a missing one. */
      readonly isThrottled: boolean;
    };

/** The `status` word of the 401 response to a sender that proved nothing. */
export type RefusalStatus = "signature verification failed" | "not authorised" | "authorisation timeout";

export type ParseResult =
  | {
      readonly ok: true;
      readonly event: Event;
      /** The payload as JSON text, for standard output and the file that commands may read. */
      readonly json: string;
      /** How the delivery is known again; null where each stands for itself. */
      readonly identity: DeliveryIdentity | null;
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
  /**
   * How many leading bits of an IPv6 address are the client, 64 to 128: an address is masked to them before it is
   * kept and before it is looked up. 64 admits a whole subnet.
   */
  readonly prefixV6: number;
  /** Looks for the token in the query and the headers, compares it in constant time. */
  verify(query: URLSearchParams, headers: Headers): HandshakeResult;
  /** The headers of a GET that shows the token, for `send` and the demo. */
  credentials(): Headers;
}

/** Whether a GET showed the token. */
export type HandshakeResult =
  | {
      readonly ok: true;
      /** What a `hub.mode=subscribe` handshake wants echoed; null for the plain form. */
      readonly challenge: string | null;
    }
  | {
      readonly ok: false;
      readonly code: RefusalCode;
      /** Whether the failure counts towards the attempt limit: a wrong token, not a missing, empty or repeated one. */
      readonly isThrottled: boolean;
    };

/** What `send` is asked to say. */
export type SampleRequest =
  | {
      readonly kind: "ping";
      readonly deliveryId: string;
      readonly form: boolean;
      /** As `owner/name`. */
      readonly repository: string;
    }
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
