/** A server-sent event as the HTML standard dispatches it. */
export interface ReadEvent {
  /** The last event id. An event without an id keeps the previous one. */
  readonly id: string;
  readonly event: string;
  readonly data: string;
}

/** Reads events until `count` events arrived or the stream ends, and then closes the stream. */
export async function readEvents(response: Response, count = Number.POSITIVE_INFINITY): Promise<ReadEvent[]> {
  const events: ReadEvent[] = [];
  if (response.body === null) return events;
  let text = "";
  const decoder = new TextDecoder();
  for await (const chunk of response.body) {
    text += decoder.decode(chunk, { stream: true });
    events.splice(0, events.length, ...parseEvents(text));
    if (events.length >= count) break;
  }
  return events.slice(0, count);
}

/** Parses events as the HTML standard specifies in "Interpreting an event stream". */
export function parseEvents(text: string): ReadEvent[] {
  const events: ReadEvent[] = [];
  let id = "";
  let event = "";
  let data: string[] = [];
  const lines = text.split(/\r\n|\r|\n/);
  for (const line of lines.slice(0, -1)) {
    if (line === "") {
      if (data.length > 0) events.push({ id, event: event || "message", data: data.join("\n") });
      event = "";
      data = [];
      continue;
    }
    const colon = line.indexOf(":");
    const field = colon < 0 ? line : line.slice(0, colon);
    const value = colon < 0 ? "" : line.slice(colon + 1).replace(/^ /, "");
    if (field === "id" && !value.includes("\0")) id = value;
    if (field === "event") event = value;
    if (field === "data") data.push(value);
  }
  return events;
}
