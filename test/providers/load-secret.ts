import { Secret } from "../../src/lib/secret.ts";

/** Returns a secret with its value loaded, as the configuration provides it. */
export function loadSecret(value: string): Secret {
  const secret = new Secret({ kind: "env", name: "TEST_SECRET" });
  secret.load(value);
  return secret;
}
