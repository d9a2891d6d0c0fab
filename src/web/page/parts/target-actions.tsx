import { useSignal } from "@preact/signals";
import type { ApiTarget } from "../../../api/target.ts";
import { announce } from "../live.ts";
import { operator } from "../operator.ts";
import { type Outcome, request } from "../request.ts";
import { deploymentAddress } from "../route.ts";
import { ActionButton } from "./dialog.tsx";
import { IconText } from "./icons.tsx";
import { Text, Time } from "./text.tsx";

const pathOf = (name: string, action: string) => `api/targets/${encodeURIComponent(name)}/${action}`;

interface Queued {
  readonly deployment: number;
}

/** Sends a request that queues a deployment, and opens it. */
export async function queueAndOpen(
  path: string,
  body: Readonly<Record<string, unknown>>,
): Promise<Outcome<Queued>> {
  const outcome = await request<Queued>("POST", path, body);
  if (outcome.kind === "done") location.hash = deploymentAddress(outcome.value.deployment);
  return outcome;
}

/** The button that deploys the tip, or a commit. */
export function DeployButton({ target }: { readonly target: ApiTarget }) {
  const { name, repository, branch, tag, locked } = target;
  const tip = tag !== null ? `the newest tag that matches ${tag}` : `the tip of ${branch}`;
  return (
    <ActionButton
      label={<IconText icon="deployments">Deploy</IconText>}
      kind="primary"
      action={() => ({
        title: `Deploy ${name}`,
        confirm: "Deploy",
        body: (
          <>
            {repository !== null && (
              <>
                <label for="commit">Commit</label>
                <input
                  id="commit"
                  name="commit"
                  class="mono"
                  placeholder={tip}
                  pattern="[0-9a-fA-F]{7,64}"
                  title="7 to 64 hex digits of a commit"
                  autocomplete="off"
                  spellcheck={false}
                  autofocus
                />
                <p class="hint">Leave it empty to deploy {tip}.</p>
              </>
            )}
            {repository === null && <p>The commands of the target run once.</p>}
            {locked !== null && (
              <p class="notice wait">
                <span>
                  The target is locked by <Text>{locked.by}</Text>: <Text>{locked.reason}</Text>
                </span>
                <label class="check">
                  <input type="checkbox" name="force" required /> Deploy it nevertheless
                </label>
              </p>
            )}
          </>
        ),
        run: (fields) => {
          const commit = String(fields.get("commit") ?? "").trim();
          const force = fields.get("force") !== null;
          return queueAndOpen(pathOf(name, "deploy"), {
            ...(commit !== "" && { commit }),
            ...(force && { force }),
          });
        },
        done: () => announce(`A deployment of ${name} is queued.`),
      })}
    />
  );
}

/** The button that makes a release live again; without a name the one before the live one. */
export function RollbackButton({
  target,
  release,
}: {
  readonly target: ApiTarget;
  readonly release: string | null;
}) {
  const { name } = target;
  return (
    <ActionButton
      label={release === null ? "Roll back" : "Roll back to this"}
      kind={release === null ? "" : "small"}
      action={() => ({
        title: `Roll back ${name}`,
        confirm: "Roll back",
        isDangerous: true,
        body: (
          <>
            <p>
              {release === null ? "The release before the live one" : <code>{release}</code>} becomes live
              without a build. The commit that is live now is not deployed again by the same push.
            </p>
            <p class="hint">To keep later pushes back as well, lock the target.</p>
          </>
        ),
        run: () => queueAndOpen(pathOf(name, "rollback"), release === null ? {} : { release }),
        done: () => announce(`A rollback of ${name} is queued.`),
      })}
    />
  );
}

const DURATIONS: readonly (readonly [value: string, text: string])[] = [
  ["", "until it is unlocked"],
  ["30m", "for 30 minutes"],
  ["1h", "for 1 hour"],
  ["4h", "for 4 hours"],
  ["1d", "for 1 day"],
  ["7d", "for 7 days"],
];

/** The button that locks or unlocks a target. */
export function LockButton({
  target,
  changed,
}: {
  readonly target: ApiTarget;
  readonly changed: () => void;
}) {
  const { name, locked } = target;
  const reason = useSignal("");
  if (locked !== null) {
    return (
      <ActionButton
        label={<IconText icon="lock">Unlock</IconText>}
        action={() => ({
          title: `Unlock ${name}`,
          confirm: "Unlock",
          body: <p>The newest push that the lock kept back is deployed, if there is one.</p>,
          run: async () => {
            const outcome = await request<{ reason: string }>("POST", pathOf(name, "unlock"), {});
            reason.value = outcome.kind === "done" ? outcome.value.reason : "";
            return outcome;
          },
          done: () => {
            announce(`${name} is unlocked: ${reason.value}.`);
            changed();
          },
        })}
      />
    );
  }
  return (
    <ActionButton
      label={<IconText icon="lock">Lock</IconText>}
      action={() => ({
        title: `Lock ${name}`,
        confirm: "Lock",
        body: (
          <>
            <p>Pushes are stored but not deployed while the target is locked.</p>
            <label for="reason">Reason</label>
            <input id="reason" name="reason" required maxLength={500} autocomplete="off" autofocus />
            <label for="for">How long</label>
            <select id="for" name="for">
              {DURATIONS.map(([value, text]) => (
                <option key={value} value={value}>
                  {text}
                </option>
              ))}
            </select>
          </>
        ),
        run: (fields) => {
          const time = String(fields.get("for"));
          const body = {
            reason: String(fields.get("reason")).trim(),
            by: operator(),
            ...(time !== "" && { for: time }),
          };
          return request("POST", pathOf(name, "lock"), body);
        },
        done: () => {
          announce(`${name} is locked.`);
          changed();
        },
      })}
    />
  );
}

/** What a locked target shows. */
export function LockNotice({ target: { locked } }: { readonly target: ApiTarget }) {
  if (locked === null) return null;
  return (
    <p class="notice wait">
      <span>
        <strong>Locked</strong> by <Text>{locked.by}</Text> <Time at={locked.since} />
        {locked.until === null ? "" : ", ends "}
        {locked.until !== null && <Time at={locked.until} />}: <Text>{locked.reason}</Text>. Pushes are stored
        but not deployed.
      </span>
    </p>
  );
}
