/** Whether the fault suite runs in its long form: `bun run test:faults`. */
export const isLong = process.env.FAULTS === "long";

/** How often something is done: `short` times as part of `bun test`, `long` times in the long form. */
export function times(counts: { readonly short: number; readonly long: number }): number {
  return isLong ? counts.long : counts.short;
}
