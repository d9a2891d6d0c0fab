import type { StaticDecode, TObject } from "@sinclair/typebox";
import type { Secret } from "../lib/secret.ts";
import type { Client } from "./client.ts";
import type { RefusalCode } from "./codes.ts";
import type { DeliveryIdentity, RepeatedBody } from "./delivery.ts";
import type { Events } from "./event.ts";
import type { RangesPublisher } from "./published-ranges.ts";

/**
 * A kind of sender: how its requests prove who sent them, and what their bodies say. `Settings` is what its `options`
 * decode to.
 */
export interface Provider<Settings = StaticDecode<TObject>> {
  readonly name: string;
  /** One line for help and documentation. */
  readonly summary: string;
  /** The provider's own keys in `[[source]]`, besides those of every source. */
  readonly options: TObject;
  /** The key of `options` with the secret of the webhook. */
  readonly generatedSecret: string;
  /** Whether that secret is generated when the configuration leaves it out: not where the sender issues it. */
  needsGeneratedSecret(settings: Settings): boolean;
  /** Writes 32 random bytes as a secret of the form that the sender accepts. */
  formatSecret(bytes: Buffer): string;
  /** The problems that the schema of `options` cannot find. Called once the secrets are loaded. */
  checkOptions(settings: Settings): readonly OptionIssue[];
  /** Whether its senders read the response, so that a source may set `wait` or `response`. */
  readonly hasReadingSenders?: boolean;
  /** Whether its deliveries say which branch of which repository was pushed. */
  readonly reportsPushes: boolean;
  /** Whether the deliveries of a source with these settings report the results of CI; undefined where none do. */
  reportsCi?(settings: Settings): boolean;
  /** Whether the name of a repository may have more than one slash, as in `group/subgroup/name`. */
  readonly hasNestedRepositories: boolean;
  /** The default of `on_redelivery`: `skip` for senders that repeat deliveries on their own. */
  readonly onRedelivery: "run" | "skip";
  /** The URL from which a repository of a source with these settings is cloned; null when it is not known. */
  cloneUrl(repository: string, settings: Settings): string | null;
  /** The path of a repository's commits at the forge, up to the commit's name; undefined where there are none. */
  commitPath?(repository: string, settings: Settings): string;
  /** What a person enters at the sender to create the webhook; null for any sender. */
  readonly webhookForm: ((values: WebhookValues) => WebhookForm) | null;
  /** Its source on a server without any configured one. */
  readonly defaultSource?: DefaultSource;
  /** Environment variables that set options which the configuration leaves out. */
  readonly variables?: readonly OptionVariable[];
  /** The ranges that it publishes for its deliveries. `allow` refers to them by the provider's name. */
  readonly publishedRanges?: RangesPublisher;
  /** The base URL of the API that accepts commit statuses for its repositories on the public host. */
  readonly statusApi?: string;
  createHandler(settings: Settings): SourceHandler;
  /** Creates a handler with this secret and the defaults, for a sender that has no configuration. */
  createHandlerWithSecret(secret: Secret): SourceHandler;
}

/** The values that a person enters at the sender. */
export interface WebhookValues {
  /** The full URL of the source. */
  readonly url: string;
  /** By option: the secret, or where it is stored. Options that are not set are missing. */
  readonly secrets: Readonly<Record<string, string>>;
  /** The repository whose webhook it is; null when it is not known. */
  readonly repository: string | null;
  /** Whether the results of CI are needed besides pushes. */
  readonly waitsForCi: boolean;
}

/** The sender's form for a new webhook, in the sender's own words. */
export interface WebhookForm {
  /** The sender's name. */
  readonly sender: string;
  /** Where the form is, such as `Settings > Webhooks > Add webhook`. */
  readonly page: string;
  /** The fields and what to enter. */
  readonly fields: readonly (readonly [label: string, value: string])[];
  /** The name of the secret that the sender issues and shows, where it does. */
  readonly issuedSecret?: string;
}

/** A source that exists without being configured. */
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
  /** Converts its text, which is not empty, to the decoded value of the option. */
  parse(text: string): { readonly kind: "value"; readonly value: unknown } | InvalidVariable;
}

/** A variable whose text is not valid. */
export interface InvalidVariable {
  readonly kind: "invalid";
  /** Says what was expected and what was found. */
  readonly message: string;
}

/** A problem with one of a provider's settings. */
export interface OptionIssue {
  /** The keys and indexes that lead to the setting. */
  readonly path: readonly (string | number)[];
  /** Says what was expected and what was found, without the value of a secret. */
  readonly message: string;
}

/** A provider with the settings of one source. */
export interface SourceHandler {
  /** Accepted media types; `*` stands for any text. Any other is answered 415. */
  readonly contentTypes: readonly string[];
  /** Lower-case names of the provider's headers that are stored with a delivery. Never one that holds a secret. */
  readonly storedHeaders: readonly string[];
  /**
   * Lower-case names of the headers that hold a signature, a token or a password. They are never stored, also where the
   * configuration names them.
   */
  readonly credentialHeaders: readonly string[];
  /** The headers with the id that the sender gives each delivery. The first that is present counts. */
  readonly idHeaders: readonly string[];
  /** The header with the signature, as its documentation writes it; null where nothing is signed. */
  readonly signatureHeader: string | null;
  /** Whether the response to each delivery has the status `success`, whether it deploys or not. */
  readonly answersSuccess: boolean;
  /** Whether requests carry a token or a password, which can be guessed. A signature cannot. */
  readonly usesGuessableSecrets: boolean;
  /**
   * What a body is that arrives again under another id: a `duplicate`, where ids are not signed; a `redelivery`, where
   * the sender gives each attempt an id of its own; or `new`, where ids are signed.
   */
  readonly repeatedBody: RepeatedBody;
  /** How a GET that shows a token authorises a client; null where every request proves its sender. */
  readonly handshake: Handshake | null;
  /**
   * Verifies the sender over the raw bytes. `client` is the stored client of the sender's address, for providers with a
   * handshake. Returns a promise only for passwords; it rejects with an {@link AppError} `unavailable` when too many
   * checks are waiting.
   */
  verify(request: RawRequest, client: Client | null, now: Date): VerifyResult | Promise<VerifyResult>;
  /** Decodes a request that `verify` accepted, or one that is read back from the store with the stored headers only. */
  parse(request: Payload): ParseResult;
  /**
   * What every request must have, one phrase each, with the origins of the secrets; missing where
   * {@link Provider.webhookForm} says what to enter.
   */
  describeCredentials?(): readonly string[];
  /**
   * Composes a request as the provider itself would send it, for `send` and the demo. Throws an {@link AppError}
   * `configuration` when a secret or feature that it needs is missing.
   */
  compose(message: SampleRequest, destination: Destination): RawRequest;
}

/** The parts of a request that are stored. */
export interface Payload {
  readonly headers: Headers;
  readonly body: Uint8Array;
}

/** A request as received. */
export interface RawRequest extends Payload {
  readonly method: string;
  /** The path as received, without the query. */
  readonly path: string;
  readonly query: URLSearchParams;
}

/** Where and when a composed request is sent, because signatures can cover the path and the time. */
export interface Destination {
  readonly path: string;
  /** The parameters that the URL has already. */
  readonly query: URLSearchParams;
  readonly now: Date;
}

/** Whether a request proved who sent it. */
export type VerifyResult =
  | { readonly kind: "verified" }
  | (Refusal & {
      /** The `status` word of the 401 response. */
      readonly status: RefusalStatus;
    });

/** The request did not prove who sent it. */
export interface Refusal {
  readonly kind: "refused";
  /** For the log and metrics. The sender never gets it. */
  readonly code: RefusalCode;
  /** Whether the failure counts towards the attempt limit: a wrong token or password, not a missing one. */
  readonly isThrottled: boolean;
}

export type RefusalStatus = "signature verification failed" | "not authorised" | "authorisation timeout";

export type ParseResult = ParsedPayload | Challenge | UnreadablePayload;

/** The sender asks for a text in the response, to test the URL. The request is not stored. */
export interface Challenge {
  readonly kind: "challenge";
  /** One short line, which the response echoes as plain text. */
  readonly text: string;
}

/** A decoded payload. */
export interface ParsedPayload {
  readonly kind: "parsed";
  /** At least one. Several are pushes to several refs at once. */
  readonly events: Events;
  /** The payload as JSON text, for standard output and the payload file of commands. */
  readonly json: string;
  /** Null where deliveries are not compared with each other. */
  readonly identity: DeliveryIdentity | null;
}

/** A payload that cannot be decoded, or is not the one of its event. */
export interface UnreadablePayload {
  readonly kind: "unreadable";
  /** `invalid_payload`: not UTF-8 or not JSON (400). `unexpected_payload`: not the payload of its event (422). */
  readonly code: "invalid_payload" | "unexpected_payload";
  /** Names fields, never their values. */
  readonly reason: string;
}

/** How a token on a GET authorises the client's address for a time. */
export interface Handshake {
  /** How long an authorised client may POST, in milliseconds. */
  readonly lifetime: number;
  /**
   * How many leading bits of an IPv6 address identify the client, 64 to 128. Addresses are masked to them before they
   * are stored or looked up. 64 authorises a whole subnet.
   */
  readonly prefixV6: number;
  /** Finds the token in the query or the headers and compares it in constant time. */
  verify(query: URLSearchParams, headers: Headers): HandshakeResult;
  /** The headers of a GET that shows the token, for `send` and the demo. */
  credentials(): Headers;
}

/** Whether a GET showed the token. */
export type HandshakeResult =
  | {
      readonly kind: "verified";
      /** The text that a `hub.mode=subscribe` handshake expects in the response; null for the other forms. */
      readonly challenge: string | null;
    }
  | Refusal;

/** The message of a composed request. */
export type SampleRequest = { readonly deliveryId: string; readonly form: boolean } & (
  | { readonly kind: "ping" /** As `owner/name`. */; readonly repository: string }
  | {
      readonly kind: "push";
      readonly repository: string;
      /** The full ref name. */
      readonly ref: string;
      readonly before: string;
      readonly after: string;
    }
  /** A payload from a file, byte for byte, under the event's name. */
  | { readonly kind: "payload"; readonly event: string; readonly json: Uint8Array }
);
