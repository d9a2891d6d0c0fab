import type { ApiTarget, ApiTargetDetails } from "../../api/target.ts";
import { shortenCommit } from "../../lib/text.ts";
import { formatOutcome } from "./deployment.ts";
import { makePrintable } from "./sanitise.ts";
import { type Colour, colourOf, type Style, showMoment, showTime } from "./style.ts";
import { type Column, type Field, formatFields } from "./table.ts";

/** The columns of a list of targets. */
export function describeTarget(look: Style): readonly Column<ApiTarget>[] {
  return [
    { heading: "NAME", text: ({ name }) => name },
    { heading: "BRANCH", text: describeRef },
    { heading: "LIVE", text: (target) => describeLive(target, look) },
    { heading: "STATE", text: describeState, colour: colourOfState, isProse: true },
    {
      heading: "LOCKED",
      text: (target) => describeLock(target, look),
      colour: () => "yellow",
      isProse: true,
    },
  ];
}

function describeRef({ branch, tag }: ApiTarget): string | null {
  return tag === null ? branch : `tags ${tag}`;
}

function describeLive({ live }: ApiTarget, look: Style): string {
  if (live === null) return "nothing";
  const since = showTime(live.since, look);
  // A target without a repository has no commit.
  return live.commit === null ? `since ${since}` : `${shortenCommit(live.commit)} since ${since}`;
}

/** What it does now, or else how its last deployment went wrong. */
function describeState({ running, queued, last }: ApiTarget): string {
  const work = [
    ...(running === null ? [] : [`running ${running}`]),
    ...(queued === null ? [] : [`queued ${queued}`]),
  ];
  if (work.length > 0) return work.join(", ");
  if (last === null || last.state === "succeeded") return "idle";
  return formatOutcome(last.id, last);
}

function colourOfState({ running, queued, last }: ApiTarget): Colour | null {
  if (running !== null || queued !== null) return "yellow";
  return last === null ? null : colourOf(last.state);
}

function describeLock({ locked }: ApiTarget, look: Style): string | null {
  if (locked === null) return null;
  const end = locked.until === null ? "" : ` until ${showMoment(locked.until, look)}`;
  return `by ${locked.by}${end}: ${locked.reason}`;
}

/** All of one target, and its releases. */
export function formatTarget(target: ApiTargetDetails, look: Style): string {
  const { releases, live } = target;
  const fields = formatFields(listFields(target, look), look);
  if (releases === null || releases.length === 0) return fields;
  const lines = releases.map((name) => `${name === live?.release ? "*" : " "} ${makePrintable(name)}\n`);
  return `${fields}\nreleases on disk, newest first, * is live:\n${lines.join("")}`;
}

function listFields(target: ApiTarget, look: Style): readonly Field[] {
  const { name, source, repository, branch, tag, directory, layout, live, locked, queued, running } = target;
  return [
    { name: "target", text: name },
    { name: "source", text: source },
    { name: "repository", text: repository ?? "none: every delivery of its source runs its commands" },
    { name: "branch", text: tag === null ? branch : null },
    { name: "tags", text: tag },
    { name: "directory", text: directory },
    { name: "layout", text: layout },
    { name: "live", text: describeLive(target, look), colour: live === null ? null : "green" },
    { name: "release", text: live?.release ?? null },
    { name: "locked", text: locked === null ? "no" : describeLock(target, look), colour: locked && "yellow" },
    { name: "running", text: running === null ? null : `deployment ${running}`, colour: "yellow" },
    { name: "queued", text: queued === null ? null : `deployment ${queued}`, colour: "yellow" },
    { name: "last", ...describeLast(target, look) },
  ];
}

function describeLast({ last }: ApiTarget, look: Style): Omit<Field, "name"> {
  if (last === null) return { text: "it was never deployed" };
  const when = last.ended_at === null ? "" : `${showTime(last.ended_at, look)}: `;
  return { text: `${when}${formatOutcome(last.id, last)}`, colour: colourOf(last.state) };
}
