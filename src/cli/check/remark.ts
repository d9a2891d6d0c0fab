/** One line of what `check` reports. */
export interface Remark {
  readonly level: "ok" | "warn" | "fail";
  readonly text: string;
}

/** Something is as it should be. */
export const ok = (text: string): Remark => ({ level: "ok", text });

/** Something works, but people should know of it. */
export const warn = (text: string): Remark => ({ level: "warn", text });

/** Something does not work. */
export const fail = (text: string): Remark => ({ level: "fail", text });
