/** One line of `hooklatch check`. */
export interface CheckResult {
  /** `warn` for what works but needs attention, `fail` for what does not work. */
  readonly level: "ok" | "warn" | "fail";
  readonly text: string;
}

/** Creates a result of level `ok`. */
export const ok = (text: string): CheckResult => ({ level: "ok", text });

/** Creates a result of level `warn`. */
export const warn = (text: string): CheckResult => ({ level: "warn", text });

/** Creates a result of level `fail`. */
export const fail = (text: string): CheckResult => ({ level: "fail", text });
