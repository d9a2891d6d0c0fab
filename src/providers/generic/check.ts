import { KEPT_HEADERS } from "../../domain/delivery.ts";
import type { OptionFault } from "../../domain/provider.ts";
import { isPasswordHash } from "../password.ts";
import { type GenericSettings, METHODS, requiredMethods } from "./settings.ts";

const OF_THE_CLIENT_CHECK = ["verify_token", "client_timeout", "client_prefix_v6"] as const;

/** What is wrong with a generic source's settings taken together, or with what their secrets hold. */
export function checkSettings(settings: GenericSettings): readonly OptionFault[] {
  return [
    ...checkRequired(settings),
    ...checkAuthorization(settings),
    ...checkSignatureHeader(settings),
    ...checkTokens(settings),
    ...checkUsers(settings),
  ];
}

/** What is required must be set, and what is set must be required: nobody shall believe in a check that is not made. */
function checkRequired(settings: GenericSettings): OptionFault[] {
  const required = requiredMethods(settings);
  const missing = (settings.require ?? []).flatMap((method, index) =>
    method === "client" || settings[method] !== undefined
      ? []
      : [{ path: ["require", index], message: `expected "${method}" to be set beside it, found none` }],
  );
  const idle = METHODS.flatMap((method) =>
    (method === "client" ? OF_THE_CLIENT_CHECK : [method])
      .filter((key) => settings[key] !== undefined && !required.includes(method))
      .map((key) => ({ path: [key], message: `expected "${method}" in "require" beside it, found none` })),
  );
  return [...missing, ...idle];
}

/** A request has one Authorization header (RFC 9110, section 11.6.2), which proves one thing. */
function checkAuthorization({ bearer, basic }: GenericSettings): OptionFault[] {
  if (bearer === undefined || basic === undefined) return [];
  const message = 'expected no "bearer" beside it: a request has but one Authorization header';
  return [{ path: ["basic"], message }];
}

/** A signature stands alone in its header, and in none that is kept with a delivery. */
function checkSignatureHeader({ bearer, basic, hmac }: GenericSettings): OptionFault[] {
  const header = hmac?.header.toLowerCase() ?? "";
  const isTaken = header === "authorization" && (bearer ?? basic) !== undefined;
  if (!isTaken && !KEPT_HEADERS.includes(header)) return [];
  const message = `expected a header for the signature alone, found "${header}", which holds something else`;
  return [{ path: ["hmac", "header"], message }];
}

function checkTokens({ bearer = [] }: GenericSettings): OptionFault[] {
  return bearer.flatMap((token, index) =>
    !token.loaded || /^[\x21-\x7e]+$/.test(token.reveal())
      ? []
      : [
          {
            path: ["bearer", index],
            message: `expected a token of visible ASCII characters, without spaces, in ${token}`,
          },
        ],
  );
}

function checkUsers({ basic = [] }: GenericSettings): OptionFault[] {
  return basic.flatMap(({ user, hash }, index) => {
    const faults: OptionFault[] = [];
    const first = basic.findIndex((other) => other.user === user);
    if (first < index) {
      const message = `expected a user that no other entry has, found the one of basic[${first}]`;
      faults.push({ path: ["basic", index, "user"], message });
    }
    if (hash.loaded && !isPasswordHash(hash.reveal())) {
      const message = `expected an argon2id hash as \`hooklatch hash\` prints it ($argon2id$v=19$…) in ${hash}`;
      faults.push({ path: ["basic", index, "hash"], message });
    }
    return faults;
  });
}
