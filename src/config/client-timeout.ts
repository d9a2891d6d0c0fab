import { variable } from "./finding.ts";
import { describeFound } from "./found.ts";
import { type Ground, readVariable } from "./ground.ts";
import { LONGEST_AGE, limitDuration } from "./limit.ts";

const NAME = "CLIENT_AUTH_TIMEOUT";

/** `$CLIENT_AUTH_TIMEOUT`, which is in hours, in milliseconds; undefined when it is not set or faulty. */
export function readClientTimeout(ground: Ground): number | undefined {
  const text = readVariable(NAME, ground);
  if (text === undefined) return undefined;
  const milliseconds = /^\d{1,6}(?:\.\d{1,9})?$/.test(text) ? Math.round(Number(text) * 3_600_000) : 0;
  if (milliseconds < 1) {
    const found = describeFound(text);
    ground.report.fault(variable(NAME), `expected a number of hours, such as 24 or 0.5, found ${found}`);
    return undefined;
  }
  limitDuration(milliseconds, LONGEST_AGE, variable(NAME), ground);
  return milliseconds;
}
