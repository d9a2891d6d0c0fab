import type { Algorithm } from "./rule.ts";

/** A sender that a provider knows, by the header with its signature or token. */
export interface KnownSender {
  /** In lower case. */
  readonly header: string;
  /** The hash function of the signature; null for a token. */
  readonly algorithm: Algorithm | null;
  readonly provider: string;
  /** The field of its forms that holds the JSON, which the provider decodes; null where it sends no forms. */
  readonly formField: string | null;
  /** The text before the signature. */
  readonly prefix: string;
}

const GITEA = { algorithm: "sha256", provider: "gitea", formField: "payload", prefix: "" } as const;
const GITHUB = { provider: "github", formField: "payload", prefix: "sha256=" } as const;

/** A request of GitHub has both of its signatures, and the older one does not count. */
export const KNOWN_SENDERS: readonly KnownSender[] = [
  { ...GITHUB, header: "x-hub-signature-256", algorithm: "sha256" },
  { ...GITHUB, header: "x-hub-signature", algorithm: "sha1" },
  {
    header: "x-hub-signature",
    algorithm: "sha256",
    provider: "bitbucket",
    formField: null,
    prefix: "sha256=",
  },
  { ...GITEA, header: "x-gitea-signature" },
  { ...GITEA, header: "x-forgejo-signature" },
  { ...GITEA, header: "x-gogs-signature" },
  { header: "x-gitlab-token", algorithm: null, provider: "gitlab", formField: null, prefix: "" },
];
