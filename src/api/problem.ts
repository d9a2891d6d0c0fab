import { type Static, Type } from "@sinclair/typebox";

/** Why a request failed. */
export const ApiProblem = Type.Object({
  status: Type.String({ description: "the kind of problem, such as `not found`" }),
  reason: Type.Optional(Type.String({ description: "what is wrong, for people" })),
  faults: Type.Optional(
    Type.Array(Type.String(), { description: "every fault of a configuration that is not used" }),
  ),
  id: Type.Optional(Type.String({ description: "of an internal error: the log line has the same id" })),
});
export type ApiProblem = Static<typeof ApiProblem>;

/** The store is unavailable, or the server is stopping. */
export const Unavailable = problem("The store is unavailable, or the server is stopping");

/** The problems that every request can have, by HTTP status code. */
export const COMMON_PROBLEMS = {
  401: problem("The token is missing or wrong"),
  421: problem("The Host header is not one of this listener's own"),
  422: problem("A parameter or a field of the body is invalid; the reason names it"),
  500: problem("Internal error"),
  503: Unavailable,
} as const;

/** The name or id in the path is unknown. */
export const NotFound = problem("Not found");

/** The operation is not possible in the current state. */
export const Conflict = problem("Conflict with the current state; the reason explains it");

function problem(description: string) {
  return Type.Object(ApiProblem.properties, { description });
}
