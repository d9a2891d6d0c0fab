/** What came of reading the configuration again. */
export type ReloadOutcome =
  | {
      readonly kind: "reloaded";
      /** The settings that changed and keep their old value until a restart, such as `[server] port`. */
      readonly needRestart: readonly string[];
      /** One line each. */
      readonly warnings: readonly string[];
    }
  /** The configuration has faults, one line each, and the old one stays active. */
  | { readonly kind: "invalid"; readonly faults: readonly string[] }
  /** The server does not listen yet, or is stopping. */
  | { readonly kind: "not ready" };

/** Reads the configuration again and makes the server use it. */
export type Reload = () => Promise<ReloadOutcome>;
