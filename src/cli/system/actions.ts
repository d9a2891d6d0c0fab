import { randomBytes } from "node:crypto";
import {
  closeSync,
  constants,
  copyFileSync,
  existsSync,
  fchmodSync,
  fchownSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  type Stats,
  statSync,
  writeFileSync,
} from "node:fs";
import { dirname } from "node:path";
import { createFileWith } from "../../lib/atomic-file.ts";
import { AppError, describeFileError, systemErrorCode } from "../../lib/errors.ts";
import type { Host, Ids } from "./host.ts";

/** One thing that `init --system` creates. What exists is not changed. */
export type Action =
  | { readonly kind: "user"; readonly name: string; readonly home: string }
  | ({ readonly kind: "directory" } & Entry)
  | ({ readonly kind: "file"; readonly content: Content } & Entry);

interface Entry {
  /** Absolute. */
  readonly path: string;
  /** Permission bits, whatever the umask. */
  readonly mode: number;
  readonly owner: "root:root" | "root:hooklatch" | "hooklatch:hooklatch";
}

/** What a file gets. */
export type Content =
  | {
      readonly kind: "text";
      readonly text: string;
      /** Whether a file that has comments only, such as that of a package, is renamed to make room. */
      readonly replacesComments?: boolean;
    }
  /** Random bytes as text. An existing secret is never compared. */
  | { readonly kind: "secret"; readonly format: (bytes: Buffer) => string }
  | { readonly kind: "copy"; readonly of: string };

/** Missing lines beyond which a file is another one. */
const MAX_LINES = 5;

/** What exists already. */
export type Found =
  | { readonly kind: "missing" }
  | { readonly kind: "same" }
  /** A file with comments only, which may be replaced. */
  | { readonly kind: "placeholder" }
  /** Each difference completes "PATH …". */
  | { readonly kind: "different"; readonly differences: readonly string[] }
  /** This user may not look. */
  | { readonly kind: "hidden" };

/** Looks for what an action creates. Changes nothing. */
export async function inspect(action: Action, host: Host): Promise<Found> {
  if (action.kind === "user") return inspectUser(action, host);
  try {
    const stats = statSync(host.root + action.path, { throwIfNoEntry: false });
    if (stats === undefined) return { kind: "missing" };
    if (isPlaceholder(action, stats, host)) return { kind: "placeholder" };
    const differences = [
      ...(await compareEntry(action, stats, host)),
      ...compareContent(action, stats, host),
    ];
    return differences.length === 0 ? { kind: "same" } : { kind: "different", differences };
  } catch (error) {
    if (["EACCES", "EPERM"].includes(systemErrorCode(error) ?? "")) return { kind: "hidden" };
    throw new AppError("failed", `cannot read ${action.path}: ${describeFileError(error)}`, error);
  }
}

function isPlaceholder(action: Action, stats: Stats, { root }: Host): boolean {
  if (action.kind !== "file" || action.content.kind !== "text" || !stats.isFile()) return false;
  if (action.content.replacesComments !== true || existsSync(root + originalOf(action.path))) return false;
  return /^(?:[ \t]*(?:#.*)?(?:\r?\n|$))*$/.test(readFileSync(root + action.path, "utf8"));
}

/** The name of a placeholder after it was replaced. */
export function originalOf(path: string): string {
  return `${path}.orig`;
}

async function inspectUser({ name, home }: Action & { kind: "user" }, host: Host): Promise<Found> {
  const user = await lookUp("passwd", name, host);
  if (user === null) return { kind: "missing" };
  const differences = [
    ...((await lookUp("group", name, host)) === null
      ? [`has no group ${name}: groupadd --system ${name}`]
      : []),
    ...(user[5] === home ? [] : [`has the home directory ${user[5]}, not ${home}`]),
  ];
  return differences.length === 0 ? { kind: "same" } : { kind: "different", differences };
}

/** The fields of a user or a group, as in passwd(5) and group(5); null if there is none. */
async function lookUp(
  database: "passwd" | "group",
  name: string,
  { run }: Host,
): Promise<readonly string[] | null> {
  const { exitCode, lines } = await run(["getent", database, name]);
  if (exitCode === 127) throw new AppError("failed", "getent is not installed: it finds users and groups");
  return exitCode === 0 ? (lines[0] ?? "").split(":") : null;
}

async function compareEntry(
  { kind, path, mode, owner }: Exclude<Action, { kind: "user" }>,
  stats: Stats,
  host: Host,
): Promise<readonly string[]> {
  if (kind === "directory" && !stats.isDirectory()) return ["is not a directory"];
  if (kind === "file" && !stats.isFile()) return ["is not a regular file"];
  const found = stats.mode & 0o7777;
  const ids = await findIds(owner, host);
  const isOwned = ids !== null && stats.uid === ids.uid && stats.gid === ids.gid;
  return [
    ...(found === mode ? [] : [`has mode ${formatMode(found)}; chmod ${formatMode(mode)} ${path}`]),
    ...(isOwned ? [] : [`has another owner than ${owner}; chown ${owner} ${path}`]),
  ];
}

function compareContent(
  action: Exclude<Action, { kind: "user" }>,
  stats: Stats,
  { root }: Host,
): readonly string[] {
  if (action.kind === "directory" || !stats.isFile()) return [];
  const { path, content } = action;
  if (content.kind === "secret") return stats.size === 0 ? ["is empty"] : [];
  if (content.kind === "copy") {
    const isSame =
      stats.size === statSync(content.of).size && readFileSync(root + path).equals(readFileSync(content.of));
    return isSame ? [] : [`is another version; install -m 755 ${content.of} ${path}`];
  }
  const text = readFileSync(root + path, "utf8");
  if (text === content.text) return [];
  const lines = new Set(text.split("\n"));
  const missing = content.text
    .split("\n")
    .filter((line) => !/^\s*(?:#|\/\/|$)/.test(line) && !lines.has(line));
  if (missing.length === 0 || missing.length > MAX_LINES) return ["has other content"];
  // Only lines of the new text: those of the file may hold a secret.
  return missing.map((line) => `lacks the line  ${line}`);
}

/** Does an action whose result is missing, or a placeholder. Throws an {@link AppError} `failed`. */
export async function apply(action: Action, host: Host): Promise<void> {
  if (action.kind === "user") return addUser(action, host);
  const ids = await findIds(action.owner, host);
  if (ids === null) throw new AppError("failed", `there is no user hooklatch to own ${action.path}`);
  try {
    createParents(action.path, host);
    if (action.kind === "directory") createDirectory(host.root + action.path, action.mode, ids);
    else {
      if ((await inspect(action, host)).kind === "placeholder") {
        renameSync(host.root + action.path, host.root + originalOf(action.path));
      }
      createFile(action, ids, host);
    }
  } catch (error) {
    throw new AppError("failed", `cannot write ${action.path}: ${describeFileError(error)}`, error);
  }
}

/** The commands that add a user without a password and its group: those of Debian and Fedora, or of Alpine. */
export function userCommands({ name, home }: Action & { kind: "user" }) {
  return {
    shadow: [
      [
        ...["useradd", "--system", "--user-group", "--no-create-home", "--home-dir", home],
        ...["--shell", "/usr/sbin/nologin", name],
      ],
    ],
    busybox: [
      ["addgroup", "-S", name],
      ["adduser", "-S", "-D", "-H", "-h", home, "-s", "/sbin/nologin", "-G", name, name],
    ],
  };
}

async function addUser(action: Action & { kind: "user" }, host: Host): Promise<void> {
  const { shadow, busybox } = userCommands(action);
  const hasShadow = (await host.run(["useradd", "--help"])).exitCode !== 127;
  for (const command of hasShadow ? shadow : busybox) {
    const { exitCode, lines } = await host.run(command);
    if (exitCode === 0) continue;
    throw new AppError(
      "failed",
      `cannot add the user ${action.name}: ${command.join(" ")}: ${lines.join("; ")}`,
    );
  }
}

async function findIds(owner: Entry["owner"], host: Host): Promise<Ids | null> {
  const [userName, groupName] = owner.split(":") as [string, string];
  const uid = userName === "root" ? host.superuser.uid : await lookUp("passwd", userName, host);
  const gid = groupName === "root" ? host.superuser.gid : await lookUp("group", groupName, host);
  if (uid === null || gid === null) return null;
  return {
    uid: typeof uid === "number" ? uid : Number(uid[2]),
    gid: typeof gid === "number" ? gid : Number(gid[2]),
  };
}

function createParents(path: string, host: Host): void {
  const { root, superuser } = host;
  const parent = dirname(path);
  if (statSync(root + parent, { throwIfNoEntry: false }) !== undefined) return;
  createParents(parent, host);
  createDirectory(root + parent, 0o755, superuser);
}

/** The owner of the parent may replace the directory, so that owner and mode are set through a descriptor. */
function createDirectory(path: string, mode: number, ids: Ids): void {
  mkdirSync(path, { mode: 0o700 });
  const descriptor = openSync(path, constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW);
  try {
    setAccess(descriptor, mode, ids);
  } finally {
    closeSync(descriptor);
  }
}

function createFile({ path, mode, content }: Action & { kind: "file" }, ids: Ids, { root }: Host): void {
  const isNew = createFileWith(root + path, 0o600, (draft, descriptor) => {
    if (content.kind === "copy") copyFileSync(content.of, draft);
    else
      writeFileSync(
        descriptor,
        content.kind === "text" ? content.text : `${content.format(randomBytes(32))}\n`,
      );
    setAccess(descriptor, mode, ids);
  });
  if (!isNew) throw new Error("it exists, or is a dangling symbolic link");
}

function setAccess(descriptor: number, mode: number, { uid, gid }: Ids): void {
  fchownSync(descriptor, uid, gid);
  fchmodSync(descriptor, mode);
}

/** Permission bits as chmod(1) accepts them, such as `0640`. */
export function formatMode(mode: number): string {
  return mode.toString(8).padStart(4, "0");
}
