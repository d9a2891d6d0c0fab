/** One line of what `check` reports. */
export interface CheckResult {
  readonly level: "ok" | "warn" | "fail";
  readonly text: string;
}

/** Something is as it should be. */
export const ok = (text: string): CheckResult => ({ level: "ok", text });

/** Something works, but people should know of it. */
export const warn = (text: string): CheckResult => ({ level: "warn", text });

/** Something does not work. */
export const fail = (text: string): CheckResult => ({ level: "fail", text });
