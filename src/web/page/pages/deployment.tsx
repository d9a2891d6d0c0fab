import { useSignal } from "@preact/signals";
import type { ApiDeployment } from "../../../api/deployment.ts";
import { RESULT_CODES } from "../../../domain/codes.ts";
import { formatElapsed } from "../../../lib/duration.ts";
import { capitalise } from "../format.ts";
import { hostNames } from "../hosts.ts";
import { announce } from "../live.ts";
import { type Jump, LogViewer } from "../log/viewer.tsx";
import { operator } from "../operator.ts";
import { ActionButton } from "../parts/dialog.tsx";
import { Loaded, PageHead, Section } from "../parts/frame.tsx";
import { Icon, IconText } from "../parts/icons.tsx";
import { StatePill } from "../parts/pill.tsx";
import { queueAndOpen } from "../parts/target-actions.tsx";
import { Commit, Facts, Text, Time, Took } from "../parts/text.tsx";
import { request } from "../request.ts";
import { useResource } from "../resource.ts";
import { deliveryAddress, deploymentAddress, targetAddress } from "../route.ts";

/** A deployment: how it ended and why, its steps and its output. */
export function DeploymentPage({ id }: { readonly id: number }) {
  const resource = useResource<ApiDeployment>(`api/deployments/${id}`, ["deployment"]);
  const jump = useSignal<Jump | null>(null);
  const deployment = resource.value;
  return (
    <>
      <PageHead
        title={`Deployment ${id}`}
        heading={`Deployment ${id}`}
        actions={deployment !== null && <Actions deployment={deployment} />}
      >
        {deployment !== null && <StatePill state={deployment.state} code={deployment.code} />}
      </PageHead>
      <Loaded resource={resource} lines={6}>
        {(value) => (
          <>
            <Outcome deployment={value} />
            <Summary deployment={value} />
            <Steps
              deployment={value}
              show={(next) => {
                jump.value = next;
              }}
            />
            <Section title="Output">
              <LogViewer key={id} id={id} jump={jump.value} />
            </Section>
          </>
        )}
      </Loaded>
    </>
  );
}

function Actions({ deployment }: { readonly deployment: ApiDeployment }) {
  const { id, target, state, commit } = deployment;
  if (state === "queued" || state === "running") {
    return (
      <ActionButton
        label={<IconText icon="cross">Cancel</IconText>}
        kind="danger"
        action={() => ({
          title: `Cancel deployment ${id}`,
          confirm: "Cancel the deployment",
          isDangerous: true,
          body: (
            <p>
              {state === "queued" ? "It does not start." : "Its commands are ended."} The live release stays.
            </p>
          ),
          run: () => request("POST", `api/deployments/${id}/cancel`, { by: operator() }),
          done: () => announce(`Deployment ${id} is being cancelled.`),
        })}
      />
    );
  }
  if (commit === null) return null;
  return (
    <ActionButton
      label={<IconText icon="deployments">Deploy again</IconText>}
      action={() => ({
        title: "Deploy this commit again",
        confirm: "Deploy",
        body: (
          <p>
            Commit <Commit commit={commit} url={null} /> is fetched and built again, and becomes live in{" "}
            <Text>{target}</Text>.
          </p>
        ),
        run: () => queueAndOpen(`api/targets/${encodeURIComponent(target)}/deploy`, { commit }),
        done: () => announce(`A deployment of ${target} is queued.`),
      })}
    />
  );
}

/** Why it did not succeed. */
function Outcome({ deployment }: { readonly deployment: ApiDeployment }) {
  const { state, code, reason, superseded_by, retried_as } = deployment;
  if (code === null && state === "queued" && reason !== null) {
    return (
      <div class="notice wait">
        <Icon name="clock" />
        <p class="notice-title">
          Waits: <Text>{reason}</Text>
        </p>
      </div>
    );
  }
  if (code === null) return null;
  const meanings: Readonly<Record<string, string>> = RESULT_CODES;
  const next = retried_as ?? superseded_by;
  return (
    <div class={`notice ${state === "failed" ? "bad" : "wait"}`}>
      <Icon name="warning" />
      <div>
        <p class="notice-title">
          <Text>{reason ?? meanings[code] ?? code}</Text>
        </p>
        <p class="notice-text">
          {reason !== null && (meanings[code] ?? "").replaceAll("`", "")}{" "}
          {next !== null && <a href={deploymentAddress(next)}>Deployment {next} follows it.</a>}
        </p>
      </div>
    </div>
  );
}

function Summary({ deployment }: { readonly deployment: ApiDeployment }) {
  const { target, subject, author, commit, pushed_commit, commit_url, previous_commit, branch, release } =
    deployment;
  const { host, trigger, delivery, chosen, created_at, started_at, ended_at, retry_of } = deployment;
  return (
    <div class="card facts-card">
      <Facts
        rows={[
          [
            "Target",
            <a key="target" href={targetAddress(target)}>
              <Text>{target}</Text>
            </a>,
          ],
          ["Host", hostNames.value.length === 0 ? null : <Text key="host">{host}</Text>],
          [
            "Commit",
            commit === null && pushed_commit === null ? null : (
              <>
                {subject !== null && (
                  <>
                    <Text>{subject}</Text>{" "}
                  </>
                )}
                <Commit commit={commit ?? pushed_commit} url={commit_url} />
              </>
            ),
          ],
          ["Author", author === null ? null : <Text>{author}</Text>],
          ["Replaces", previous_commit === null ? null : <Commit commit={previous_commit} url={null} />],
          ["Branch or tag", branch === null ? null : <Text>{branch}</Text>],
          ["Chosen", chosen === null ? null : <code>{chosen}</code>],
          [
            "Trigger",
            <span key="trigger">
              {capitalise(trigger)}
              {delivery !== null && (
                <>
                  , <a href={deliveryAddress(delivery)}>delivery {delivery}</a>
                </>
              )}
            </span>,
          ],
          [
            "Retry of",
            retry_of === null ? null : <a href={deploymentAddress(retry_of)}>deployment {retry_of}</a>,
          ],
          ["Release", release === null ? null : <code class="release">{release}</code>],
          ["Queued", <Time key="created" at={created_at} />],
          [
            ended_at === null ? "Running for" : "Took",
            started_at === null ? null : <Took started_at={started_at} ended_at={ended_at} />,
          ],
        ]}
      />
    </div>
  );
}

interface Bar {
  readonly command: string;
  readonly milliseconds: number;
  /** Milliseconds after the start of the first bar. */
  readonly from: number;
  readonly result: string | null;
  readonly isFailed: boolean;
  readonly jump: Jump | null;
}

/** One bar per command, and one for what the deployment did besides. */
function barsOf({ steps, started_at, ended_at }: ApiDeployment): readonly Bar[] {
  const total = started_at === null || ended_at === null ? 0 : Date.parse(ended_at) - Date.parse(started_at);
  const inSteps = steps.reduce((sum, { milliseconds }) => sum + milliseconds, 0);
  const other = Math.max(0, total - inSteps);
  const seen = new Map<string, number>();
  let from = other;
  const bars = steps.map(({ command, milliseconds, exit_code, signal }): Bar => {
    const text = `$ ${command.split("\n")[0]}`;
    const skip = seen.get(text) ?? 0;
    seen.set(text, skip + 1);
    const isFailed = exit_code !== 0;
    const result = isFailed ? (signal ?? `exit ${exit_code}`) : null;
    const bar = { command, milliseconds, from, result, isFailed, jump: { text, skip } };
    from += milliseconds;
    return bar;
  });
  const rest = { command: "Fetch, check out, switch and check", milliseconds: other, from: 0, result: null };
  return [{ ...rest, isFailed: false, jump: null }, ...bars];
}

function Steps({
  deployment,
  show,
}: {
  readonly deployment: ApiDeployment;
  readonly show: (jump: Jump) => void;
}) {
  if (deployment.steps.length === 0) return null;
  const bars = barsOf(deployment);
  const total = Math.max(1, ...bars.map(({ from, milliseconds }) => from + milliseconds));
  const percent = (value: number) => `${(value / total) * 100}%`;
  return (
    <Section title="Steps">
      <ol class="card steps">
        {bars.map((bar, at) => (
          <li key={at}>
            {bar.jump === null ? (
              <span class="step-name faint">{bar.command}</span>
            ) : (
              <button
                type="button"
                class="step-name link-button"
                title="Show its output"
                onClick={() => bar.jump !== null && show({ ...bar.jump })}
              >
                <Text>{bar.command.split("\n")[0] ?? ""}</Text>
              </button>
            )}
            <span
              class={`step-bar ${bar.isFailed ? "bad" : bar.jump === null ? "other" : ""}`}
              aria-hidden="true"
            >
              <span style={{ marginInlineStart: percent(bar.from), width: percent(bar.milliseconds) }} />
            </span>
            <span class="step-time number">
              {bar.result !== null && <span class="step-result">{bar.result}</span>}
              {formatElapsed(bar.milliseconds)}
            </span>
          </li>
        ))}
      </ol>
    </Section>
  );
}
