import type { ApiDeployment } from "../../../api/deployment.ts";
import type { ApiStatus } from "../../../api/status.ts";
import type { ApiTarget } from "../../../api/target.ts";
import { DeploymentRow } from "../parts/deployment-row.tsx";
import { Loaded, PageHead, Section } from "../parts/frame.tsx";
import { Pill } from "../parts/pill.tsx";
import { Commit, Empty, Outside, Text, Time } from "../parts/text.tsx";
import { Warnings } from "../parts/warnings.tsx";
import { joinResources, useResource } from "../resource.ts";
import { addressOf, deploymentAddress, targetAddress } from "../route.ts";

type List<Item> = { readonly items: readonly Item[]; readonly next: number | null };

/** What is live, what runs and waits, and what failed. */
export function OverviewPage() {
  const targets = useResource<List<ApiTarget>>("api/targets?limit=500", ["deployment", "lock"]);
  const running = useResource<List<ApiDeployment>>("api/deployments?state=running&limit=20", ["deployment"]);
  const queued = useResource<List<ApiDeployment>>("api/deployments?state=queued&limit=20", ["deployment"]);
  const failed = useResource<List<ApiDeployment>>("api/deployments?state=failed&limit=5", ["deployment"]);
  const status = useResource<ApiStatus>("api/status", ["deployment"], 60_000);
  const all = joinResources<
    [List<ApiTarget>, List<ApiDeployment>, List<ApiDeployment>, List<ApiDeployment>, ApiStatus]
  >(targets, running, queued, failed, status);
  return (
    <>
      <PageHead title="Overview" heading="Overview" />
      <Loaded resource={all} lines={5}>
        {([targetList, runningList, queuedList, failedList, serverStatus]) => (
          <>
            <Warnings status={serverStatus} />
            <div class="columns">
              <Section title="Targets">
                {targetList.items.length === 0 ? (
                  <NoTargets />
                ) : (
                  <ul class="card list">
                    {targetList.items.map((target) => (
                      <TargetRow key={target.name} target={target} />
                    ))}
                  </ul>
                )}
              </Section>
              <div class="stack">
                <Section
                  title="Running and waiting"
                  aside={
                    queuedList.next !== null && (
                      <a href={addressOf("deployments", { state: "queued" })}>All that wait</a>
                    )
                  }
                >
                  <Deployments
                    items={[...runningList.items, ...queuedList.items]}
                    emptyTitle="Nothing is running"
                  />
                </Section>
                <Section
                  title="Latest failures"
                  aside={<a href={addressOf("deployments", { state: "failed" })}>All failures</a>}
                >
                  <Deployments items={failedList.items} emptyTitle="No deployment has failed" />
                </Section>
              </div>
            </div>
          </>
        )}
      </Loaded>
    </>
  );
}

function Deployments({
  items,
  emptyTitle,
}: {
  readonly items: readonly ApiDeployment[];
  readonly emptyTitle: string;
}) {
  if (items.length === 0) return <Empty title={emptyTitle} />;
  return (
    <ul class="card list">
      {items.map((deployment) => (
        <DeploymentRow key={deployment.id} deployment={deployment} />
      ))}
    </ul>
  );
}

/** The state of a target in a word. A failed deployment leaves the live release. */
export function TargetPill({ target: { running, queued, last, live } }: { readonly target: ApiTarget }) {
  if (running !== null) return <Pill tone="busy" icon="clock" text="Deploying" />;
  if (queued !== null) return <Pill tone="wait" icon="clock" text="Queued" />;
  if (last?.state === "failed") return <Pill tone="bad" icon="cross" text="Failed" />;
  if (live !== null) return <Pill tone="good" icon="check" text="Live" />;
  return <Pill tone="quiet" icon="dash" text="Not deployed" />;
}

function TargetRow({ target }: { readonly target: ApiTarget }) {
  const { name, repository, branch, tag, live, locked, last } = target;
  const away = (target.hosts ?? []).filter(({ state }) => state !== "up");
  return (
    <li class="row target-row">
      <div class="row-main">
        <p class="row-title">
          <a class="row-link strong" href={targetAddress(name)}>
            <Text>{name}</Text>
          </a>
          <TargetPill target={target} />
          {locked !== null && <Pill tone="wait" icon="lock" text="Locked" />}
        </p>
        <p class="meta">
          <span class="meta-text">
            <Text>{repository ?? "no repository"}</Text>
          </span>
          {(tag ?? branch) !== null && (
            <span class="meta-text">
              <Text>{tag === null ? (branch ?? "") : `tags ${tag}`}</Text>
            </span>
          )}
        </p>
        {last?.state === "failed" && (
          <p class="row-reason bad">
            <a href={deploymentAddress(last.id)}>Deployment {last.id}</a> failed
            {last.reason !== null && (
              <>
                : <Text>{last.reason}</Text>
              </>
            )}
          </p>
        )}
        {away.length > 0 && (
          <p class="row-reason">
            Away: <Text>{away.map(({ host }) => host).join(", ")}</Text>
          </p>
        )}
        {locked !== null && (
          <p class="row-reason">
            Locked by <Text>{locked.by}</Text>: <Text>{locked.reason}</Text>
          </p>
        )}
      </div>
      <div class="row-live">
        <LiveCommit target={target} />
        {live !== null && (
          <p class="meta">
            <Commit commit={live.commit} url={live.commit_url} />
            {live.author !== null && (
              <span class="meta-text">
                <Text>{live.author}</Text>
              </span>
            )}
            <Time at={live.since} />
          </p>
        )}
      </div>
    </li>
  );
}

/** The subject of the live commit. */
function LiveCommit({ target: { live } }: { readonly target: ApiTarget }) {
  if (live === null) return <p class="faint">Nothing is live yet</p>;
  if (live.subject === null)
    return <p class="live-subject">{live.commit === null ? "Commands ran" : "Live commit"}</p>;
  return (
    <p class="live-subject">
      {live.commit_url === null ? (
        <Text>{live.subject}</Text>
      ) : (
        <Outside href={live.commit_url}>
          <Text>{live.subject}</Text>
        </Outside>
      )}
    </p>
  );
}

function NoTargets() {
  return (
    <Empty title="No target is configured">
      <p>
        Add what to deploy to <code>hooklatch.toml</code>, then restart or reload the server:
      </p>
      <pre class="snippet">
        {'[[target]]\nname = "blog"\nrepository = "octocat/blog"\nbranch = "main"\ndirectory = "/srv/blog"'}
      </pre>
      <p>
        <code>hooklatch init</code> writes a complete configuration.
      </p>
    </Empty>
  );
}
