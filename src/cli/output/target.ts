import type { ApiLock, ApiLocked, ApiTarget, ApiTargetDetails } from "../../api/target.ts";
import { shortenCommit } from "../../lib/text.ts";
import { formatOutcome } from "./deployment.ts";
import { describeHostState, hostColour } from "./host.ts";
import { makePrintable } from "./sanitise.ts";
import { type Colour, colourOf, formatDate, formatTime, type Style } from "./style.ts";
import { type Column, type Field, formatFields, formatTable } from "./table.ts";

/** The columns of a list of targets. */
export function targetColumns(style: Style, targets: readonly ApiTarget[]): readonly Column<ApiTarget>[] {
  const host: Column<ApiTarget> = {
    heading: "HOST",
    text: ({ hosts }) => (hosts?.[0] === undefined ? null : describeHost(hosts[0])),
    colour: ({ hosts }) => (hosts?.[0] === undefined ? null : hostColour(hosts[0])),
  };
  return [
    { heading: "NAME", text: ({ name }) => name },
    ...(targets.some(({ hosts }) => hosts !== null) ? [host] : []),
    { heading: "BRANCH", text: ({ branch, tag }) => (tag === null ? branch : `tags ${tag}`) },
    { heading: "LIVE", text: (target) => describeLive(target, style) },
    { heading: "STATE", text: describeState, colour: stateColour, prose: "short" },
    {
      heading: "LOCKED",
      text: (target) => describeLock(target, style),
      colour: () => "yellow",
      prose: "short",
    },
  ];
}

type TargetHost = NonNullable<ApiTarget["hosts"]>[number];

/** One row for each host of a target, or for the given one only. */
export function toHostRows(targets: readonly ApiTarget[], only?: string): readonly ApiTarget[] {
  return targets.flatMap((target) =>
    target.hosts === null || target.hosts.length === 0
      ? [target]
      : target.hosts
          .filter(({ host }) => only === undefined || host === only)
          .map((host) => ({ ...target, ...host, hosts: [host] })),
  );
}

/** The name, and the state of a host that does not deploy now. */
function describeHost(host: TargetHost): string {
  return host.state === "up" && !host.draining ? host.host : `${host.host} (${describeHostState(host)})`;
}

function describeLive({ live }: Pick<ApiTarget, "live">, style: Style): string {
  if (live === null) return "nothing";
  const since = formatTime(live.since, style);
  // A target without a repository has no commit.
  return live.commit === null ? `since ${since}` : `${shortenCommit(live.commit)} since ${since}`;
}

type Work = Pick<ApiTarget, "running" | "queued" | "last">;

/** The current work, else `idle` or the failure of the last deployment. */
function describeState({ running, queued, last }: Work): string {
  const work = [
    ...(running === null ? [] : [`running #${running}`]),
    ...(queued === null ? [] : [`queued #${queued}`]),
  ];
  if (work.length > 0) return work.join(", ");
  return last === null || last.state === "succeeded" ? "idle" : formatOutcome(last.id, last);
}

function stateColour({ running, queued, last }: Work): Colour | null {
  if (running !== null || queued !== null) return "yellow";
  return last === null ? null : colourOf(last.state);
}

function describeLock({ locked }: ApiTarget, style: Style): string | null {
  return locked === null ? null : describeOwner(locked, style);
}

function describeOwner({ by, until, reason }: ApiLock, style: Style): string {
  const end = until === null ? "" : ` until ${formatDate(until, style)}`;
  return `by ${by}${end}: ${reason}`;
}

/** Reports a new lock: what happens to pushes, and the lock that it replaces. */
export function formatLocked({ target, deliveries, replaced }: ApiLocked, style: Style): string {
  const { name, locked } = target;
  const until = locked?.until ?? null;
  const end = until === null ? "" : ` until ${formatDate(until, style)}`;
  const meanwhile =
    deliveries === "queued" ? "deliveries wait in the queue" : "pushes are stored but not deployed";
  const lines = [
    `${name} is locked${end}: ${meanwhile}; unlock it with: hooklatch target unlock ${name}`,
    ...(replaced === null ? [] : [`it replaces the lock ${describeOwner(replaced, style)}`]),
  ];
  return lines.map((line) => `${makePrintable(line)}\n`).join("");
}

/** A target with all its fields and its releases. */
export function formatTarget(target: ApiTargetDetails, style: Style): string {
  const locked: Field = {
    name: "locked",
    text: describeLock(target, style) ?? "no",
    colour: target.locked && "yellow",
  };
  if (target.hosts !== null) {
    const fields = formatFields([...listFields(target), locked], style);
    return `${fields}\n${formatTable(hostColumns(style), target.hosts, style)}`;
  }
  const fields = formatFields(
    [...listFields(target), ...listLive(target, style), locked, ...listWork(target, style)],
    style,
  );
  const releases = (target.releases ?? []).map(
    (name) => `${name === target.live?.release ? "*" : " "} ${makePrintable(name)}\n`,
  );
  if (releases.length === 0) return fields;
  return `${fields}\nReleases on disk, newest first (* is live):\n${releases.join("")}`;
}

function listFields(target: ApiTarget): readonly Field[] {
  const { name, source, repository, branch, tag, directory, layout, wait_for_ci } = target;
  return [
    { name: "target", text: name },
    { name: "source", text: source },
    { name: "repository", text: repository ?? "none (every delivery of the source runs the commands)" },
    { name: "branch", text: tag === null ? branch : null },
    { name: "tags", text: tag },
    { name: "waits for", text: describeWait(wait_for_ci) },
    { name: "directory", text: directory },
    { name: "layout", text: layout },
  ];
}

/** The columns of the hosts of a target. */
function hostColumns(style: Style): readonly Column<TargetHost>[] {
  return [
    { heading: "HOST", text: describeHost, colour: hostColour },
    { heading: "LIVE", text: (host) => describeLive(host, style) },
    { heading: "RELEASE", text: ({ live }) => live?.release ?? null },
    { heading: "RELEASES", text: ({ releases }) => releases && String(releases.length) },
    { heading: "STATE", text: describeState, colour: stateColour, prose: "short" },
  ];
}

/** What is live, where the store has one host. */
function listLive(target: ApiTarget, style: Style): readonly Field[] {
  const { live } = target;
  return [
    { name: "live", text: describeLive(target, style), colour: live === null ? null : "green" },
    { name: "subject", text: live?.subject ?? null },
    { name: "author", text: live?.author ?? null },
    { name: "link", text: live?.commit_url ?? null },
    { name: "release", text: live?.release ?? null },
  ];
}

/** What is under way, where the store has one host. */
function listWork(target: ApiTarget, style: Style): readonly Field[] {
  const deployment = (id: number | null) => (id === null ? null : `deployment ${id}`);
  return [
    { name: "running", text: deployment(target.running), colour: "yellow" },
    { name: "queued", text: deployment(target.queued), colour: "yellow" },
    { name: "last", ...describeLast(target, style) },
  ];
}

function describeWait(setting: ApiTarget["wait_for_ci"]): string | null {
  if (typeof setting === "string") return `the success of workflow ${setting}`;
  return setting === true ? "the success of CI" : null;
}

function describeLast({ last }: ApiTarget, style: Style): Omit<Field, "name"> {
  if (last === null) return { text: "never deployed" };
  const ended = last.ended_at === null ? "" : `${formatTime(last.ended_at, style)}: `;
  return { text: `${ended}${formatOutcome(last.id, last)}`, colour: colourOf(last.state) };
}
