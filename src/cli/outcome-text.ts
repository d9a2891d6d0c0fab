/** How a deployment stands or ended, as the API tells it. */
interface Outcome {
  readonly state: string;
  readonly reason: string | null;
}

/** What became of a deployment, as a sentence: `deployment 12 failed: step "npm test" exited with 1`. */
export function tellOutcome(id: number, { state, reason }: Outcome): string {
  // Cancelled is what both are called, but nobody did the first, and the second names who did.
  if (state === "cancelled" && /^(?:skipped: |cancelled by )/.test(reason ?? "")) {
    return `deployment ${id} was ${reason}`;
  }
  return `deployment ${id} ${VERBS[state] ?? `is ${state}`}${reason === null ? "" : `: ${reason}`}`;
}

const VERBS: Readonly<Record<string, string>> = {
  succeeded: "succeeded",
  failed: "failed",
  superseded: "was superseded",
  cancelled: "was cancelled",
  interrupted: "was interrupted",
};
