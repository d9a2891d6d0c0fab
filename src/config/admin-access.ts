import { dirname, join } from "node:path";
import { AppError } from "../lib/errors.ts";
import type { Secret } from "../lib/secret.ts";
import { resolveAdmin } from "./admin.ts";
import { resolveDataDirectory } from "./data-directory.ts";
import { type Environment, isSet, type ReadContext } from "./read/context.ts";
import { child, describeIssue, IssueList } from "./read/issues.ts";
import { readTable } from "./read/table.ts";
import { findDocument, SYSTEM_FILE } from "./read/toml.ts";
import { AdminTable, DocumentTable } from "./schema.ts";

/** Where a server's admin listener is, and its token. */
export interface AdminAccess {
  readonly host: string;
  /** 0 for a free one, which only the server's log names. */
  readonly port: number;
  /** Loaded. */
  readonly token: Secret;
}

const TOKEN_ELSEWHERE =
  "the admin token may be set in the server's environment only: set it here too, or pass --admin-url and set $HOOKLATCH_ADMIN_TOKEN";

/** The keys that lead to the admin listener. */
const NEEDED_KEYS = ["data_dir", "admin"];

/**
 * Reads only the part of a configuration that leads to the admin listener, because an operator need not be able to read
 * the server's other secrets. Throws an {@link AppError} that says what is wrong, or where the token was searched.
 */
export function loadAdminAccess(
  explicitFile: string | undefined,
  environment: Environment,
  systemFile: string = SYSTEM_FILE,
): AdminAccess {
  const document = findDocument(explicitFile, environment, systemFile);
  if (document.kind === "invalid") throw new AppError("configuration", describeIssue(document.fault));
  const { file, label, table } = document;
  const issues = new IssueList();
  const context: ReadContext = {
    ...environment,
    directory: file === null ? environment.cwd : dirname(file),
    issues,
  };
  const written = Object.fromEntries(Object.entries(table).filter(([key]) => NEEDED_KEYS.includes(key)));
  const root = readTable(DocumentTable, written, { file: label, path: "" }, issues);
  const dataDir = resolveDataDirectory(root, context);
  const adminTable = readTable(AdminTable, root.values.admin, child(root.place, "admin"), issues);
  const { admin } = resolveAdmin(adminTable, dataDir, context);

  const faults = issues.faults.map(describeIssue);
  if (faults.length > 0) {
    const hint = adminTable.values.token !== undefined && !admin.token.loaded ? [TOKEN_ELSEWHERE] : [];
    throw new AppError("configuration", [...faults, ...hint].join("\n"));
  }
  if (!admin.token.loaded) {
    throw new AppError("failed", explainMissingToken(dataDir, root.has("data_dir"), context));
  }
  return { host: admin.host, port: admin.port, token: admin.token };
}

/** Under systemd the service's data directory may be $STATE_DIRECTORY, which a shell does not have. */
function explainMissingToken(dataDir: string, isWritten: boolean, environment: Environment): string {
  const searched = `no admin token in ${join(dataDir, "secrets")}: is the server running with this configuration?`;
  const isNamed = ["HOOKLATCH_DATA_DIR", "STATE_DIRECTORY"].some((name) => isSet(name, environment));
  if (isWritten || isNamed) return searched;
  return `${searched} If its data directory is another one, such as a service's $STATE_DIRECTORY, set data_dir in the configuration and pass --config, or set HOOKLATCH_DATA_DIR`;
}
