import { type IssueList, variable } from "./issues.ts";

/** The part of the process environment that a configuration may use. */
export interface Environment {
  readonly env: Readonly<Record<string, string | undefined>>;
  /** The working directory, absolute. */
  readonly cwd: string;
  /** The operating system, by default the one that this process runs on. */
  readonly platform?: NodeJS.Platform;
}

/** The inputs of every function that reads settings, and the list of issues that it adds to. */
export interface ReadContext extends Environment {
  /** The absolute directory of the configuration file: relative paths in the file start there. */
  readonly directory: string;
  readonly issues: IssueList;
}

/** Whether an environment variable is set, possibly to an empty string. */
export function isSet(name: string, { env }: Environment): boolean {
  return Object.hasOwn(env, name) && env[name] !== undefined;
}

/** The value of an environment variable; undefined when it is not set. An empty one is a fault. */
export function readVariable(name: string, context: ReadContext): string | undefined {
  if (!isSet(name, context)) return undefined;
  const value = context.env[name];
  if (value !== "") return value;
  context.issues.fault(variable(name), "is set but empty: give it a value or unset it");
  return undefined;
}
