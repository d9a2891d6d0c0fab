import { useSignal } from "@preact/signals";
import { useEffect, useMemo } from "preact/hooks";
import { openStream } from "../stream.ts";
import { createLogBuffer, type LogBuffer } from "./buffer.ts";

/** Milliseconds between two updates of the display. */
const FLUSH_INTERVAL = 40;

/** The log of a deployment, which grows until the deployment has ended. */
export interface Log {
  readonly buffer: LogBuffer;
  /** Changes with each update of the buffer. */
  readonly version: number;
  readonly state: "loading" | "open" | "lost" | "ended";
}

/** Reads the log of a deployment, from its start to its end. */
export function useLog(id: number): Log {
  const buffer = useMemo(createLogBuffer, [id]);
  const version = useSignal(0);
  const state = useSignal<Log["state"]>("loading");
  useEffect(() => {
    let waiting: string[] = [];
    let timer: ReturnType<typeof setTimeout> | undefined;
    state.value = "loading";
    function flush(): void {
      timer = undefined;
      buffer.append(waiting);
      waiting = [];
      version.value += 1;
    }
    const close = openStream(`api/deployments/${id}/log`, {
      onState(next) {
        if (state.value !== "ended") state.value = next;
      },
      onEvents(events) {
        for (const { event, data } of events) {
          if (event === "line") waiting.push(data);
          if (event !== "end") continue;
          state.value = "ended";
          close();
        }
        timer ??= setTimeout(flush, FLUSH_INTERVAL);
      },
    });
    return () => {
      clearTimeout(timer);
      close();
    };
  }, [id]);
  return { buffer, version: version.value, state: state.value };
}
