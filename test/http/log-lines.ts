/** Returns the messages of lines that `logInto` wrote, without their fields. */
export function messagesOf(lines: readonly string[]): string[] {
  return lines.map((line) => line.slice(0, line.indexOf(" {")));
}

/** Returns the fields of a line that `logInto` wrote. */
export function fieldsOf(line: string): unknown {
  return JSON.parse(line.slice(line.indexOf(" {")));
}
