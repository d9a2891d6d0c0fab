import { ValueErrorType } from "@sinclair/typebox/errors";
import { NotFoundError, ParseError, ValidationError } from "elysia";
import type { Log } from "../../lib/log.ts";
import type { ThrottledLog } from "../../lib/throttled-log.ts";
import { respondInternalError } from "../error-response.ts";
import { respondMethodNotAllowed, respondRefused } from "../responses.ts";
import { BodyRefused } from "./json-body.ts";

/** What the framework tells of its routes. */
export type Routes = readonly { readonly method: string; readonly path: string }[];

/**
 * Answers what no route did. The framework's own answers would repeat the input, and would blame the sender for an
 * answer of ours that does not fit its schema.
 */
export function answerProblem(error: unknown, request: Request, routes: Routes, log: Log): Response {
  if (error instanceof NotFoundError) return refusePath(new URL(request.url).pathname, routes);
  if (error instanceof ParseError && error.cause instanceof BodyRefused) return error.cause.answer;
  // Whoever got this far has the token, and may be told of each fault.
  const tellAll: ThrottledLog = (fields, message) => log.error(fields, message);
  if (!(error instanceof ValidationError)) return respondInternalError(error, log, tellAll);
  if (error.type === "params") return respondRefused("not found");
  const where = error.valueError?.path ?? "";
  if (error.type === "response") {
    return respondInternalError(
      new Error(`an answer does not fit its schema at ${where || "its top"}`),
      log,
      tellAll,
    );
  }
  return respondRefused("invalid request", { reason: explain(error) });
}

/** A known path takes other methods (RFC 9110, section 15.5.6), an unknown one none. */
function refusePath(path: string, routes: Routes): Response {
  const methods = routes.filter((route) => fits(path, route.path)).map(({ method }) => method);
  if (methods.length === 0) return respondRefused("not found");
  return respondMethodNotAllowed(
    methods.flatMap((method) => (method === "GET" ? ["GET", "HEAD"] : [method])),
  );
}

function fits(path: string, pattern: string): boolean {
  const parts = path.split("/");
  const expected = pattern.split("/");
  return (
    parts.length === expected.length &&
    expected.every((part, at) => (part.startsWith(":") ? parts[at] !== "" : part === parts[at]))
  );
}

/** Names the field and what was expected of it, never the value that was there. */
function explain({ valueError }: ValidationError): string {
  const field = (valueError?.path ?? "").slice(1, 100) || "the body";
  if (valueError?.type === ValueErrorType.ObjectAdditionalProperties) return `${field}: is not known here`;
  return `${field}: expected ${valueError?.schema.expected ?? "something else"}`;
}
