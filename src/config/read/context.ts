import { type IssueList, variable } from "./issues.ts";

/** What a configuration is read in: everything of the outside that it may ask for. */
export interface Environment {
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Absolute. */
  readonly cwd: string;
}

/** The surroundings, and where the configuration file stands in them. */
export interface ReadContext extends Environment {
  /** The absolute directory that relative paths in the file start from. */
  readonly directory: string;
  readonly report: IssueList;
}

/** Whether a variable is set, be it to nothing. */
export function isSet(name: string, { env }: Environment): boolean {
  return Object.hasOwn(env, name) && env[name] !== undefined;
}

/** The value of a variable; undefined when it is not set. Set to nothing it is a fault. */
export function readVariable(name: string, ground: ReadContext): string | undefined {
  if (!isSet(name, ground)) return undefined;
  const value = ground.env[name];
  if (value !== "") return value;
  ground.report.fault(variable(name), "is set but empty: give it a value or unset it");
  return undefined;
}
