import type { Log, LogFields } from "../../src/lib/log.ts";

/** One line of a log. */
export interface LogEntry {
  readonly level: keyof Log;
  readonly message: string;
  readonly fields: LogFields;
}

/** A log that records its lines, so that a test can assert levels and fields and put the messages in a snapshot. */
export class RecordedLog implements Log {
  readonly entries: LogEntry[] = [];
  readonly debug = this.#recordAs("debug");
  readonly info = this.#recordAs("info");
  readonly warn = this.#recordAs("warn");
  readonly error = this.#recordAs("error");

  get messages(): readonly string[] {
    return this.entries.map(({ message }) => message);
  }

  #recordAs(level: LogEntry["level"]) {
    return (fields: LogFields, message: string) => void this.entries.push({ level, message, fields });
  }
}
