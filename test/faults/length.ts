/** Whether the fault suite runs in its long form: `bun run test:faults`. */
export const isLong = process.env.FAULTS === "long";

/** Chooses a number of repetitions: `short` as part of `bun test`, `long` in the long form. */
export function times(counts: { readonly short: number; readonly long: number }): number {
  return isLong ? counts.long : counts.short;
}
