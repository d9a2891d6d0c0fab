import { isSkipCode } from "../../../domain/codes.ts";
import { statusText } from "../delivery-text.ts";
import { capitalise } from "../format.ts";
import { Icon, type IconName } from "./icons.tsx";

/** The meaning of a colour. */
export type Tone = "good" | "bad" | "busy" | "wait" | "quiet";

/** A state as words with an icon and a colour. */
export function Pill({
  tone,
  icon,
  text,
}: {
  readonly tone: Tone;
  readonly icon: IconName;
  readonly text: string;
}) {
  return (
    <span class={`pill ${tone}`}>
      {tone === "busy" ? <span class="spinner" aria-hidden="true" /> : <Icon name={icon} />}
      {text}
    </span>
  );
}

const STATES: Readonly<Record<string, readonly [Tone, IconName]>> = {
  queued: ["wait", "clock"],
  running: ["busy", "clock"],
  succeeded: ["good", "check"],
  failed: ["bad", "cross"],
  interrupted: ["wait", "warning"],
};

/** The state of a deployment. One that found nothing to do was skipped. A state of a newer server is shown as it is. */
export function StatePill({ state, code }: { readonly state: string; readonly code: string | null }) {
  const [tone, icon] = STATES[state] ?? (["quiet", "dash"] as const);
  return <Pill tone={tone} icon={icon} text={isSkipCode(code) ? "Skipped" : capitalise(state)} />;
}

const STATUSES: Readonly<Record<string, readonly [Tone, IconName]>> = {
  ok: ["good", "check"],
  success: ["good", "check"],
  pong: ["quiet", "check"],
  skipped: ["quiet", "dash"],
  held: ["wait", "clock"],
};

/** The status of a delivery. */
export function StatusPill({ status }: { readonly status: string }) {
  const [tone, icon] = STATUSES[status] ?? (["quiet", "dash"] as const);
  return <Pill tone={tone} icon={icon} text={statusText(status)} />;
}
