import type { ApiHost } from "../../api/host.ts";
import { type Colour, formatTime, type Style } from "./style.ts";
import { type Column, formatFields, formatTable } from "./table.ts";

/** The columns of a list of hosts. */
export function hostColumns(style: Style): readonly Column<ApiHost>[] {
  return [
    { heading: "NAME", text: ({ name }) => name },
    { heading: "STATE", text: describeHostState, colour: hostColour },
    { heading: "SEEN", text: ({ seen_at }) => formatTime(seen_at, style) },
    { heading: "VERSION", text: ({ version }) => version },
    { heading: "TARGETS", text: ({ targets }) => String(targets.length) },
    { heading: "RUNNING", text: ({ running }) => describeIds(running) },
    { heading: "QUEUED", text: ({ queued }) => describeIds(queued) },
  ];
}

/** `up`, `away`, or with the order of a person: `up, drained`. */
export function describeHostState({ state, draining }: Pick<ApiHost, "state" | "draining">): string {
  return draining ? `${state}, drained` : state;
}

/** The colour of the state of a host. */
export function hostColour({ state, draining }: Pick<ApiHost, "state" | "draining">): Colour {
  if (state !== "up") return "red";
  return draining ? "yellow" : "green";
}

function describeIds(ids: readonly number[]): string | null {
  if (ids.length === 0) return null;
  const shown = ids.slice(0, MAX_LISTED).map((id) => `#${id}`);
  return [...shown, ...(ids.length > MAX_LISTED ? [`${ids.length - MAX_LISTED} more`] : [])].join(", ");
}

/** Deployments that a cell lists. */
const MAX_LISTED = 3;

/** A host with all its fields and targets. */
export function formatHost(host: ApiHost, style: Style): string {
  const { name, version, since, seen_at, targets, running, queued } = host;
  const fields = formatFields(
    [
      { name: "host", text: name },
      { name: "state", text: describeHostState(host), colour: hostColour(host) },
      { name: "seen", text: formatTime(seen_at, style) },
      { name: "started", text: formatTime(since, style) },
      { name: "version", text: version },
      { name: "running", text: describeIds(running), colour: "yellow" },
      { name: "queued", text: describeIds(queued), colour: "yellow" },
    ],
    style,
  );
  return targets.length === 0 ? fields : `${fields}\n${formatTable(TARGET_COLUMNS, targets, style)}`;
}

const TARGET_COLUMNS: readonly Column<ApiHost["targets"][number]>[] = [
  { heading: "TARGET", text: ({ name }) => name },
  { heading: "NEWEST RELEASE", text: ({ releases }) => releases?.[0] ?? null },
  { heading: "RELEASES", text: ({ releases }) => releases && String(releases.length) },
];
