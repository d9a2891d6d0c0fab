import { join } from "node:path";
import { AppError } from "../lib/errors.ts";
import type { Secret } from "../lib/secret.ts";
import { resolveAdmin } from "./admin.ts";
import { readDocumentKeys, resolveDataDirectory } from "./data-directory.ts";
import { type Environment, isSet } from "./read/context.ts";
import { child, describeIssue } from "./read/issues.ts";
import { locateIssues } from "./read/lines.ts";
import { readTable } from "./read/table.ts";
import { SYSTEM_FILE } from "./read/toml.ts";
import { AdminTable } from "./schema.ts";

/** Where a server's admin listener is, and its token. */
export interface AdminAccess {
  readonly host: string;
  /** 0 for a free one, which only the server's log names. */
  readonly port: number;
  /** Loaded. */
  readonly token: Secret;
  /** Whether the configuration file was found by search. The token then goes to loopback only. */
  readonly isFound: boolean;
}

/** No server has made a token where the configuration leads to. */
export class MissingTokenError extends AppError {}

const TOKEN_ELSEWHERE =
  "the admin token may be set in the server's environment only: set it here too, or pass --admin-url and set $HOOKLATCH_ADMIN_TOKEN";

/**
 * Reads only the part of a configuration that leads to the admin listener, because an operator need not be able to read
 * the server's other secrets. Throws an {@link AppError} that says what is wrong, or a
 * {@link MissingTokenError} that says where the token was searched.
 */
export function loadAdminAccess(
  explicitFile: string | undefined,
  environment: Environment,
  systemFile: string = SYSTEM_FILE,
): AdminAccess {
  const read = readDocumentKeys(["data_dir", "admin"], explicitFile, environment, systemFile);
  if (read.kind === "invalid") throw new AppError("configuration", describeIssue(read.fault));
  const { root, context, document } = read;
  const { issues } = context;
  const dataDir = resolveDataDirectory(root, context);
  const adminTable = readTable(AdminTable, root.values.admin, child(root.place, "admin"), issues);
  const { admin } = resolveAdmin(adminTable, dataDir, context);

  const faults = locateIssues(issues.faults, document).map(describeIssue);
  if (faults.length > 0) {
    const hint = adminTable.values.token !== undefined && !admin.token.loaded ? [TOKEN_ELSEWHERE] : [];
    throw new AppError("configuration", [...faults, ...hint].join("\n"));
  }
  if (!admin.token.loaded) {
    throw new MissingTokenError("failed", explainMissingToken(dataDir, root.has("data_dir"), context));
  }
  return { host: admin.host, port: admin.port, token: admin.token, isFound: document.isFound };
}

/** Under systemd the service's data directory may be $STATE_DIRECTORY, which a shell does not have. */
function explainMissingToken(dataDir: string, isWritten: boolean, environment: Environment): string {
  const searched = `no admin token in ${join(dataDir, "secrets")}: is the server running with this configuration?`;
  const isNamed = ["HOOKLATCH_DATA_DIR", "STATE_DIRECTORY"].some((name) => isSet(name, environment));
  if (isWritten || isNamed) return searched;
  return `${searched} If its data directory is another one, such as a service's $STATE_DIRECTORY, set data_dir in the configuration and pass --config, or set HOOKLATCH_DATA_DIR`;
}
