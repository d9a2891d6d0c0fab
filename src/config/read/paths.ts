import { resolve } from "node:path";
import { currentUser } from "../../lib/os-user.ts";
import type { Environment, ReadContext } from "./context.ts";
import { formatValue, type Place } from "./issues.ts";

/** `$NAME` or `${…}`. */
const VARIABLE = /\$(?:[A-Za-z_]\w*|\{[^}]*\}?)/;
/** `~`, `~/…` or `~user/…`. */
const HOME_PREFIX = /^~(?=[\w.-]*(?:\/|$))/;

/** Variables whose values are directories or names, never secrets, so that a message may show them. */
const SHOWN = [
  "HOME",
  "USER",
  "LOGNAME",
  "PWD",
  "STATE_DIRECTORY",
  "RUNTIME_DIRECTORY",
  "CREDENTIALS_DIRECTORY",
];

/**
 * Resolves a path of the configuration, whose relative paths start at `base`. A path that only a shell would expand is a
 * fault: it would create a directory with the name `~` or `$HOME`.
 */
export function resolvePath(text: string, base: string, place: Place, context: ReadContext): string {
  checkExpansion(text, place, context);
  return resolve(base, text);
}

/** Reports a path that begins with `~` or holds `$NAME`. Returns whether the path is free of both. */
export function checkExpansion(text: string, place: Place, context: ReadContext): boolean {
  if (!needsShell(text)) return true;
  context.issues.fault(place, describeExpansion(text, context));
  return false;
}

/** Whether a shell would replace the `~` at the start of a text or a variable in it. */
export function needsShell(text: string): boolean {
  return HOME_PREFIX.test(text) || hasVariable(text);
}

/** Whether a text holds `$NAME` or `${NAME}`. */
export function hasVariable(text: string): boolean {
  return VARIABLE.test(text);
}

/** The fault of a path that {@link needsShell}, and the path to write. */
export function describeExpansion(text: string, environment: Environment): string {
  const path = expand(text, environment);
  const remedy = path === null ? "write the absolute path" : `write ${formatValue(path)}`;
  return `"~" and variables such as $HOME are not expanded here, found ${formatValue(text)}: ${remedy}`;
}

/** The absolute path that a shell of this user would get; null if it is unknown. */
function expand(text: string, environment: Environment): string | null {
  const expanded = text
    .replace(/^~(?=\/|$)/, "$${HOME}")
    .replaceAll(/\$(?:([A-Za-z_]\w*)|\{([A-Za-z_]\w*)\})/g, (written, bare, braced) => {
      return lookUp(bare ?? braced, environment) ?? written;
    });
  return expanded.startsWith("/") && !needsShell(expanded) ? resolve(expanded) : null;
}

function lookUp(name: string, { env }: Environment): string | undefined {
  if (!SHOWN.includes(name)) return undefined;
  const { HOME, USER } = currentUser();
  const ofUser: Readonly<Record<string, string | undefined>> = { HOME, USER, LOGNAME: USER };
  return env[name] || ofUser[name];
}
