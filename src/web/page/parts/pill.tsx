import { isSkipCode } from "../../../domain/codes.ts";
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

const STATUSES: Readonly<Record<string, readonly [Tone, IconName, string]>> = {
  ok: ["good", "check", "Accepted"],
  success: ["good", "check", "Success"],
  pong: ["quiet", "check", "Ping"],
  skipped: ["quiet", "dash", "Skipped"],
  held: ["wait", "clock", "Held"],
};

/** The status of a delivery. */
export function StatusPill({ status }: { readonly status: string }) {
  const [tone, icon, text] = STATUSES[status] ?? (["quiet", "dash", capitalise(status)] as const);
  return <Pill tone={tone} icon={icon} text={text} />;
}
