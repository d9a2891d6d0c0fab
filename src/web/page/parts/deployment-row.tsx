import type { ApiDeployment } from "../../../api/deployment.ts";
import { capitalise } from "../format.ts";
import { hostNames } from "../hosts.ts";
import { deploymentAddress, targetAddress } from "../route.ts";
import { StatePill } from "./pill.tsx";
import { Commit, Text, Time, Took } from "./text.tsx";

/** A deployment in a list. */
export function DeploymentRow({
  deployment,
  withTarget = true,
}: {
  readonly deployment: ApiDeployment;
  readonly withTarget?: boolean;
}) {
  const {
    id,
    target,
    host,
    state,
    code,
    subject,
    commit,
    pushed_commit,
    commit_url,
    author,
    trigger,
    created_at,
    reason,
  } = deployment;
  return (
    <li class="row">
      <div class="row-state">
        <StatePill state={state} code={code} />
      </div>
      <div class="row-main">
        <p class="row-title">
          <a class="row-link" href={deploymentAddress(id)}>
            {subject === null ? `Deployment ${id}` : <Text>{subject}</Text>}
          </a>
        </p>
        <p class="meta">
          {withTarget && (
            <a href={targetAddress(target)}>
              <Text>{target}</Text>
            </a>
          )}
          <span>#{id}</span>
          {hostNames.value.length > 0 && (
            <span class="meta-text">
              <Text>{host}</Text>
            </span>
          )}
          <Commit commit={commit ?? pushed_commit} url={commit === null ? null : commit_url} />
          {author !== null && (
            <span class="meta-text">
              <Text>{author}</Text>
            </span>
          )}
          <span>{capitalise(trigger)}</span>
        </p>
        {reason !== null && state !== "superseded" && (
          <p class={`row-reason ${state === "failed" ? "bad" : ""}`}>
            <Text>{reason}</Text>
          </p>
        )}
      </div>
      <div class="row-aside">
        <Time at={created_at} />
        <Took started_at={deployment.started_at} ended_at={deployment.ended_at} />
      </div>
    </li>
  );
}
