import { ValueErrorType } from "@sinclair/typebox/errors";
import { NotFoundError, ParseError, ValidationError } from "elysia";
import type { Log } from "../../lib/log.ts";
import type { ThrottledLog } from "../../lib/throttled-log.ts";
import { respondInternalError } from "../error-response.ts";
import { respondMethodNotAllowed, respondProblem } from "../responses.ts";
import { BodyRefused } from "./json-body.ts";

/** The framework's routes. */
export type Routes = readonly { readonly method: string; readonly path: string }[];

/**
 * Responds to an error in a route, or to a request without a route. The framework's own responses would repeat the input,
 * and would blame the sender for a response that does not fit its schema.
 */
export function respondToError(error: unknown, request: Request, routes: Routes, log: Log): Response {
  if (error instanceof NotFoundError) return refusePath(new URL(request.url).pathname, routes);
  if (error instanceof ParseError && error.cause instanceof BodyRefused) return error.cause.response;
  // Whoever got this far has the token: nothing needs throttling.
  const logError: ThrottledLog = (fields, message) => log.error(fields, message);
  if (!(error instanceof ValidationError)) return respondInternalError(error, log, logError);
  if (error.type === "params") return respondProblem("not found");
  const where = error.valueError?.path ?? "";
  if (error.type === "response") {
    return respondInternalError(
      new Error(`a response does not fit its schema at ${where || "its top"}`),
      log,
      logError,
    );
  }
  return respondProblem("invalid request", { reason: explain(error) });
}

/** A known path accepts other methods (RFC 9110, section 15.5.6), an unknown one none. */
function refusePath(path: string, routes: Routes): Response {
  const methods = routes.filter((route) => fits(path, route.path)).map(({ method }) => method);
  if (methods.length === 0) return respondProblem("not found");
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
