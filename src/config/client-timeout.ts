import { variable } from "./finding.ts";
import { describeFound } from "./found.ts";
import { type Ground, readVariable } from "./ground.ts";

const NAME = "CLIENT_AUTH_TIMEOUT";

/** `$CLIENT_AUTH_TIMEOUT`, in hours, as the duration that would be written; undefined when it is not set. */
export function readClientTimeout(ground: Ground): string | undefined {
  const text = readVariable(NAME, ground);
  if (text === undefined) return undefined;
  const milliseconds = /^\d{1,6}(?:\.\d{1,9})?$/.test(text) ? Math.round(Number(text) * 3_600_000) : 0;
  if (milliseconds < 1) {
    const found = describeFound(text);
    ground.report.fault(variable(NAME), `expected a number of hours, such as 24 or 0.5, found ${found}`);
    return undefined;
  }
  // A duration has at most nine digits.
  return milliseconds < 1_000_000_000 ? `${milliseconds}ms` : `${Math.round(milliseconds / 1000)}s`;
}
