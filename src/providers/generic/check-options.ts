import { STORED_HEADERS } from "../../domain/delivery.ts";
import type { OptionIssue } from "../../domain/provider.ts";
import { isPasswordHash } from "../password.ts";
import { type GenericSettings, METHODS, requiredMethods } from "./options.ts";

const CLIENT_OPTIONS = ["verify_token", "client_timeout", "client_prefix_v6"] as const;

/** Finds problems between settings, and with the values of loaded secrets. */
export function checkOptions(settings: GenericSettings): readonly OptionIssue[] {
  return [
    ...checkRequired(settings),
    ...checkAuthorization(settings),
    ...checkCredentialHeaders(settings),
    ...checkTokens(settings),
    ...checkSigned(settings),
    ...checkUsers(settings),
  ];
}

/** A required method must be set, and a set one required: a check that is configured must not be left out silently. */
function checkRequired(settings: GenericSettings): OptionIssue[] {
  const required = requiredMethods(settings);
  const missing = (settings.require ?? []).flatMap((method, index) =>
    method === "client" || settings[method] !== undefined
      ? []
      : [
          {
            path: ["require", index],
            message: `"${method}" is not configured: configure it, or remove it here`,
          },
        ],
  );
  const unused = METHODS.flatMap((method) =>
    (method === "client" ? CLIENT_OPTIONS : [method])
      .filter((key) => settings[key] !== undefined && !required.includes(method))
      .map((key) => ({
        path: [key],
        message: `has no effect: add "${method}" to "require", or remove this key`,
      })),
  );
  return [...missing, ...unused];
}

/** A request has one Authorization header (RFC 9110, section 11.6.2). */
function checkAuthorization({ bearer, basic }: GenericSettings): OptionIssue[] {
  if (bearer === undefined || basic === undefined) return [];
  const message =
    'conflicts with "bearer", because a request has only one Authorization header: remove one of them';
  return [{ path: ["basic"], message }];
}

/** The header of a signature or token has no other use and is not stored with a delivery. */
function checkCredentialHeaders({
  bearer,
  basic,
  hmac,
  header,
  id_header: idHeader,
}: GenericSettings): OptionIssue[] {
  const id = idHeader?.toLowerCase();
  const used = [...STORED_HEADERS, ...((bearer ?? basic) === undefined ? [] : ["authorization"])];
  const written = [
    { name: hmac?.header.toLowerCase(), path: ["hmac", "header"], what: "signature" },
    { name: header?.name.toLowerCase(), path: ["header", "name"], what: "token" },
  ];
  const issues = written.flatMap(({ name, path, what }, index): OptionIssue[] => {
    const others = [...used, id, ...written.slice(0, index).map((other) => other.name)];
    if (name === undefined || !others.includes(name)) return [];
    const message = `the header "${name}" has another use: choose one that holds only the ${what}`;
    return [{ path, message }];
  });
  if (id === undefined || !["authorization", "proxy-authorization", "cookie"].includes(id)) return issues;
  return [...issues, { path: ["id_header"], message: `the header "${id}" holds credentials, not an id` }];
}

/** Placeholders need the headers that they stand for, and the other way round. */
function checkSigned({ hmac, id_header: idHeader }: GenericSettings): OptionIssue[] {
  if (hmac === undefined) return [];
  const { signed = "{body}", timestamp_header: time, tolerance } = hmac;
  const issues: OptionIssue[] = [];
  const isTimed = signed.includes("{timestamp}");
  if (isTimed && time === undefined) {
    issues.push({ path: ["hmac", "timestamp_header"], message: 'is missing: "signed" has {timestamp}' });
  }
  if (!isTimed && (time ?? tolerance) !== undefined) {
    issues.push({
      path: ["hmac", "signed"],
      message: "needs {timestamp}: without it the time is not signed",
    });
  }
  if (signed.includes("{id}") && idHeader === undefined) {
    issues.push({ path: ["id_header"], message: 'is missing: "hmac.signed" has {id}' });
  }
  return issues;
}

function checkTokens({ bearer = [] }: GenericSettings): OptionIssue[] {
  return bearer.flatMap((token, index) =>
    !token.loaded || /^[\x21-\x7e]+$/.test(token.reveal())
      ? []
      : [
          {
            path: ["bearer", index],
            message: `the value of ${token} must be visible ASCII characters without spaces`,
          },
        ],
  );
}

function checkUsers({ basic = [] }: GenericSettings): OptionIssue[] {
  return basic.flatMap(({ user, hash }, index) => {
    const issues: OptionIssue[] = [];
    const first = basic.findIndex((other) => other.user === user);
    if (first < index) {
      const message = `basic[${first}] already has this user: remove one of them`;
      issues.push({ path: ["basic", index, "user"], message });
    }
    if (hash.loaded && !isPasswordHash(hash.reveal())) {
      const message = `the value of ${hash} must be an argon2id hash ($argon2id$v=19$…), as \`hooklatch hash\` prints it`;
      issues.push({ path: ["basic", index, "hash"], message });
    }
    return issues;
  });
}
