import { announce } from "../live.ts";
import { OWN_HEADERS } from "../request.ts";
import { MAX_MATCHES, type Match } from "./find.ts";

/** Which of the matches is chosen: `3 of 12`. */
export function countText(matches: readonly Match[], current: number): string {
  if (matches.length === 0) return "No match";
  const more = matches.length === MAX_MATCHES ? "+" : "";
  return `${current + 1} of ${matches.length.toLocaleString()}${more}`;
}

/** The number of lines, and whether more are missing. */
export function describeState(state: string, lines: number): string {
  const count = `${lines.toLocaleString()} line${lines === 1 ? "" : "s"}`;
  return state === "lost" ? `${count} · reconnecting` : count;
}

/** Saves the output as the server has it. A plain link would lack the header that some browsers need. */
export async function download(id: number): Promise<void> {
  try {
    const response = await fetch(`api/deployments/${id}/log`, { headers: OWN_HEADERS });
    if (!response.ok) throw new Error(`the server responded ${response.status}`);
    const link = document.createElement("a");
    link.href = URL.createObjectURL(await response.blob());
    link.download = `deployment-${id}.log`;
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
  } catch {
    announce("The output could not be downloaded; try again.", true);
  }
}
