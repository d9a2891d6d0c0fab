import { dirname, join } from "node:path";
import { AppError } from "../lib/errors.ts";
import type { Secret } from "../lib/secret.ts";
import { resolveAdmin } from "./admin.ts";
import { findDataDir } from "./load.ts";
import { type Environment, isSet, type ReadContext } from "./read/context.ts";
import { child, describeIssue, IssueList, type Place } from "./read/issues.ts";
import { readTable } from "./read/table.ts";
import { findDocument, SYSTEM_FILE } from "./read/toml.ts";
import { AdminTable, DocumentTable, ServerTable } from "./schema.ts";
import { resolveServer, type Server } from "./server.ts";

/** Where a server's admin listener is, and its token. */
export interface AdminAccess {
  readonly host: string;
  /** 0: a free one, which only the server's log tells. */
  readonly port: number;
  /** Loaded. */
  readonly token: Secret;
}

/** What a service has, a shell beside it need not have. */
const NOT_HERE =
  "the server's own environment may have the admin token: set it here, too, or pass --admin-url with the token in $HOOKLATCH_ADMIN_TOKEN";

/** The keys that tell it. */
const NEEDED = ["data_dir", "admin"];

/**
 * Reads of a server's configuration only what leads to its admin listener: whoever steers it need not know the other
 * secrets, and what is wrong elsewhere is the server's matter. Throws a {@link AppError} that says what is wrong, or which
 * token is not to be had here and what to do.
 */
export function loadAdminAccess(
  explicitFile: string | undefined,
  surroundings: Environment,
  systemFile: string = SYSTEM_FILE,
): AdminAccess {
  const document = findDocument(explicitFile, surroundings, systemFile);
  if (!document.ok) throw new AppError("configuration", describeIssue(document.fault));
  const { file, label, table } = document;
  const directory = file === null ? surroundings.cwd : dirname(file);
  const ground: ReadContext = { ...surroundings, directory, report: new IssueList() };
  const written = Object.fromEntries(Object.entries(table).filter(([key]) => NEEDED.includes(key)));
  const root = readTable(DocumentTable, written, { file: label, path: "" }, ground.report);
  const dataDir = findDataDir(root, ground);
  const section = readTable(AdminTable, root.values.admin, child(root.place, "admin"), ground.report);
  const { admin } = resolveAdmin(section, nobodysNeighbour(ground), dataDir, ground);

  const faults = ground.report.faults.map(describeIssue);
  if (faults.length > 0) {
    const hint = section.values.token !== undefined && !admin.token.loaded ? [NOT_HERE] : [];
    throw new AppError("configuration", [...faults, ...hint].join("\n"));
  }
  if (!admin.token.loaded)
    throw new AppError("failed", explainMissing(dataDir, root.has("data_dir"), ground));
  return { host: admin.host, port: admin.port, token: admin.token };
}

/** Which port the public listener has is of no matter here: one that is free clashes with none. */
function nobodysNeighbour(ground: ReadContext): Server {
  const unheard: ReadContext = { ...ground, env: {}, report: new IssueList() };
  const place: Place = { file: "", path: "" };
  return resolveServer(readTable(ServerTable, { port: 0 }, place, unheard.report), unheard);
}

/** Where it was looked for, and how it is found where a service has its data directory from systemd. */
function explainMissing(dataDir: string, isWritten: boolean, surroundings: Environment): string {
  const looked = `there is no admin token yet in ${join(dataDir, "secrets")}: is the server running with this configuration?`;
  const isNamed = ["HOOKLATCH_DATA_DIR", "STATE_DIRECTORY"].some((name) => isSet(name, surroundings));
  if (isWritten || isNamed) return looked;
  return `${looked} Nothing here names its data directory: where that is another one ($STATE_DIRECTORY of a service), set data_dir in the configuration and pass --config, or set HOOKLATCH_DATA_DIR`;
}
