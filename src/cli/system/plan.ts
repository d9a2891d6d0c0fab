import { existsSync, realpathSync } from "node:fs";
import { isAbsolute, normalize } from "node:path";
import type { GeneratedSecret } from "../../config/secrets.ts";
import { AppError } from "../../lib/errors.ts";
import type { Action } from "./actions.ts";
import type { Host } from "./host.ts";
import { writeDropIn, writeRestartRule, writeUnit } from "./unit.ts";

/** The directory of the configuration and of the secrets. */
export const CONFIG_DIRECTORY = "/etc/hooklatch";
/** One of the places where hooklatch finds its configuration. */
export const CONFIG_FILE = `${CONFIG_DIRECTORY}/hooklatch.toml`;
/** The data directory, and the home directory of the user. */
export const DATA_DIRECTORY = "/var/lib/hooklatch";
const UNIT_FILE = "/etc/systemd/system/hooklatch.service";
const EXECUTABLE = "/usr/local/bin/hooklatch";

/** Where packages install the unit. */
const PACKAGED_UNITS = ["/usr/lib/systemd/system/hooklatch.service", "/lib/systemd/system/hooklatch.service"];

/** Programs in these directories stay where they are: a package manager or an administrator put them there. */
const INSTALLED = /^\/(?:(?:usr\/(?:local\/)?)?s?bin|opt|nix\/store)\//;

/** Directories that the unit hides or protects, that are emptied at a restart, or that belong to the system. */
const UNUSABLE =
  /^\/(?:$|(?:bin|boot|dev|etc|home|lib\w*|proc|root|run|sbin|sys|tmp|usr)(?:\/|$)|var(?:$|\/(?:run|tmp)(?:\/|$)))/;

/** What `init --system` sets up. */
export interface SystemOptions {
  /** The path of this executable; null when an interpreter runs the program. */
  readonly executable: string | null;
  /** The directory of the sites. */
  readonly sites: string;
  /** The directory of the first target; null without one. */
  readonly directory: string | null;
  /** The systemd services that deployments may restart. */
  readonly restart: readonly string[];
  /** Whether hooklatch itself listens on ports below 1024. */
  readonly hasLowPorts: boolean;
  /** The text of the configuration, and the secrets that it refers to. */
  readonly configuration: string;
  readonly secrets: readonly { readonly path: string; readonly format: GeneratedSecret["format"] }[];
}

/** The actions in their order, and what has to be done without them. */
export interface Plan {
  readonly actions: readonly Action[];
  readonly hasSystemd: boolean;
  /** Where the service finds the executable. */
  readonly executable: string;
}

/** Decides what to create. Throws an {@link AppError} `configuration` for an option that cannot be used. */
export function planSystem(options: SystemOptions, { root }: Pick<Host, "root">): Plan {
  const hasSystemd = existsSync(`${root}/run/systemd/system`);
  const directories = siteDirectories(options);
  const { copied, executable } = placeExecutable(options.executable);
  const rules = planRules(options.restart);
  return {
    hasSystemd,
    executable,
    actions: [
      { kind: "user", name: "hooklatch", home: DATA_DIRECTORY },
      ...copied,
      { kind: "directory", path: CONFIG_DIRECTORY, mode: 0o750, owner: "root:hooklatch" },
      { kind: "directory", path: DATA_DIRECTORY, mode: 0o700, owner: "hooklatch:hooklatch" },
      ...directories.map(
        (path): Action => ({ kind: "directory", path, mode: 0o755, owner: "hooklatch:hooklatch" }),
      ),
      ...options.secrets.map(
        ({ path, format }): Action => ({
          ...{ kind: "file", path, mode: 0o640, owner: "root:hooklatch" },
          content: { kind: "secret", format },
        }),
      ),
      {
        ...{ kind: "file", path: CONFIG_FILE, mode: 0o640, owner: "root:hooklatch" },
        content: { kind: "text", text: options.configuration, replacesComments: true },
      },
      ...(hasSystemd ? [...planUnit(options, executable, root), ...rules] : []),
    ],
  };
}

/** A file that everybody may read. */
function textFile(path: string, text: string): Action {
  return { kind: "file", path, mode: 0o644, owner: "root:root", content: { kind: "text", text } };
}

/** The root of the sites and, outside of it, the first target. Both belong to the user of the service. */
function siteDirectories({ sites, directory }: SystemOptions): readonly string[] {
  const site = directory === null ? [] : [checkPath(directory, "--directory")];
  return [...new Set([checkPath(sites, "--sites"), ...site])];
}

/** A directory as it is written in the unit, where white space separates paths and `%` starts a variable. */
function checkPath(path: string, option: string): string {
  const normal = normalize(path).replace(/(?<=.)\/$/, "");
  const fault = !isAbsolute(path)
    ? "expected an absolute path"
    : !/^[\w./@+-]+$/.test(path)
      ? "expected only letters, digits and . _ - @ + /"
      : UNUSABLE.test(normal)
        ? "the unit hides or protects this directory; expected one such as /srv/sites"
        : null;
  if (fault === null) return normal;
  throw new AppError("configuration", `${option}: ${fault}, found ${JSON.stringify(path)}`);
}

function placeExecutable(path: string | null): {
  readonly copied: readonly Action[];
  readonly executable: string;
} {
  if (path === null) {
    throw new AppError(
      "configuration",
      "--system needs the compiled executable: run `bun run build`, then `dist/hooklatch init --system`",
    );
  }
  const real = realpathSync(path);
  if (INSTALLED.test(real)) return { copied: [], executable: real };
  const content = { kind: "copy", of: real } as const;
  return {
    executable: EXECUTABLE,
    copied: [{ kind: "file", path: EXECUTABLE, mode: 0o755, owner: "root:root", content }],
  };
}

function planUnit(options: SystemOptions, executable: string, root: string): readonly Action[] {
  const { sites, directory, hasLowPorts } = options;
  const isBelowSites = directory !== null && `${directory}/`.startsWith(`${sites}/`);
  const writable = siteDirectories({ ...options, directory: isBelowSites ? null : directory });
  if (!PACKAGED_UNITS.some((path) => existsSync(root + path))) {
    return [textFile(UNIT_FILE, writeUnit({ executable, writable, hasLowPorts }))];
  }
  const dropIn = writeDropIn({ writable, hasLowPorts });
  return dropIn === null ? [] : [textFile(`${UNIT_FILE}.d/10-init.conf`, dropIn)];
}

/** One file for each service, so that one can be added later without a change of another. */
function planRules(services: readonly string[]): readonly Action[] {
  return [...new Set(services.map(toUnitName))].map((unit) =>
    textFile(`/etc/polkit-1/rules.d/50-hooklatch-${unit}.rules`, writeRestartRule(unit)),
  );
}

/** Like systemctl, completes `nginx` to `nginx.service`. */
function toUnitName(name: string): string {
  const unit =
    name.includes(".") && /\.(?:service|socket|target|timer|path|mount|slice|scope)$/.test(name)
      ? name
      : `${name}.service`;
  if (/^[\w:.@\\-]+\.service$/.test(unit)) return unit;
  throw new AppError(
    "configuration",
    `--restart: expected a service such as nginx.service, found ${JSON.stringify(name)}`,
  );
}
