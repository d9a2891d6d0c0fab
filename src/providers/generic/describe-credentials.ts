import type { Secret } from "../../lib/secret.ts";
import { describeStyle, type GenericSettings, type Method, requiredMethods } from "./options.ts";

/** What a request must have, one phrase for each required method, with the origins of the secrets. */
export function describeCredentials(settings: GenericSettings): readonly string[] {
  return requiredMethods(settings).map((method) => describeMethod(method, settings));
}

function describeMethod(method: Method, settings: GenericSettings): string {
  const { verify_token: token, query, header, bearer = [], basic = [], hmac } = settings;
  switch (method) {
    case "client": {
      const value = token === undefined ? "the verify token" : describeOrigin([token]);
      return `from an address that a GET with the header Authorization: Bearer (${value}) admitted`;
    }
    case "query":
      return `with the parameter ${query?.name} in the URL (${describeOrigin(query?.tokens ?? [])})`;
    case "header":
      return `with the header ${header?.name} (${describeOrigin(header?.tokens ?? [])})`;
    case "bearer":
      return `with the header Authorization: Bearer (${describeOrigin(bearer)})`;
    case "basic":
      return `with the password of ${basic.map(({ user }) => user).join(" or ")} (HTTP basic authentication)`;
    case "hmac": {
      if (hmac === undefined) return "with a signature";
      const { algorithm, encoding } = describeStyle(hmac);
      const signed = hmac.signed ?? "{body}";
      return `with the header ${hmac.header} (HMAC-${algorithm} of ${signed} in ${encoding}, secret: ${describeOrigin(hmac.secrets)})`;
    }
  }
}

/** The first of several is the one to use. */
function describeOrigin([secret]: readonly Secret[]): string {
  return `the value of ${secret}`;
}
