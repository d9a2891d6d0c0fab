import { Fault } from "../domain/fault.ts";
import { findNearest } from "../domain/nearest.ts";
import { TargetAnswer } from "./admin-answers.ts";
import { type Admin, type Problem, toFault } from "./admin-client.ts";
import { makePrintable } from "./printable-text.ts";
import { readWholeList } from "./whole-list.ts";

/** Why the server did not do something with a target, and what to do about it. Asks it for the targets there are. */
export async function explainTargetProblem(name: string, problem: Problem, admin: Admin): Promise<Fault> {
  if (problem.code === 404) return new Fault("failed", await explainUnknown(name, admin));
  if (problem.status === "locked") {
    const lock = problem.reason ?? "locked";
    return new Fault(
      "failed",
      `target ${name} is ${lock}; hooklatch target unlock ${name} opens it, --force deploys all the same`,
    );
  }
  if (problem.status === "not locked") return new Fault("failed", `target ${name} is not locked`);
  return toFault(problem);
}

async function explainUnknown(name: string, admin: Admin): Promise<string> {
  const told = await readWholeList(TargetAnswer, admin, { path: "/api/targets" });
  const names = told.ok ? told.value.items.map((target) => makePrintable(target.name)) : [];
  const missing = `there is no target ${makePrintable(name)}`;
  if (names.length === 0) return `${missing}: the server's configuration has no [[target]]`;
  const { word, meant } = findNearest(name, names);
  if (meant) return `${missing}; did you mean ${word}?`;
  const others = names.length > MOST_NAMED ? `, and ${names.length - MOST_NAMED} others` : "";
  return `${missing}; there are ${names.slice(0, MOST_NAMED).join(", ")}${others}`;
}

const MOST_NAMED = 10;
