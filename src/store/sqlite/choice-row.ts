import type { Choice } from "../../domain/deployment.ts";

/** A choice as the deployments' table has it. */
export type ChoiceRow = {
  choice: Choice["kind"] | null;
  chosen: string | null;
};

/** The choice's columns; both null where it is the tip. */
export function toChoiceRow(choice: Choice | null): ChoiceRow {
  if (choice === null) return { choice: null, chosen: null };
  return { choice: choice.kind, chosen: choice.kind === "commit" ? choice.commit : choice.release };
}

/** The choice that the columns hold. */
export function toChoice({ choice, chosen }: ChoiceRow): Choice | null {
  if (choice === "release") return { kind: choice, release: chosen };
  return choice === null || chosen === null ? null : { kind: choice, commit: chosen };
}
