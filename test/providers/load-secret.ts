import { Secret } from "../../src/domain/secret.ts";

/** A secret whose value is there, as the configuration would hand it over. */
export function loadSecret(value: string): Secret {
  const secret = new Secret({ kind: "env", name: "TEST_SECRET" });
  secret.load(value);
  return secret;
}
