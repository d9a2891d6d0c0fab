import type { ApiDeployment } from "../../../api/deployment.ts";
import type { ApiTargetDetails } from "../../../api/target.ts";
import { DeploymentRow } from "../parts/deployment-row.tsx";
import { Loaded, PageHead, Section } from "../parts/frame.tsx";
import { TargetHosts } from "../parts/hosts.tsx";
import { Pill } from "../parts/pill.tsx";
import { DeployButton, LockButton, LockNotice, RollbackButton } from "../parts/target-actions.tsx";
import { Commit, Copyable, Empty, Facts, Text, Time } from "../parts/text.tsx";
import { joinResources, usePagedList, useResource } from "../resource.ts";
import { addressOf, deploymentAddress } from "../route.ts";
import { MoreButton } from "./deployments.tsx";
import { TargetPill } from "./overview.tsx";

/** A target: what is live, its history and releases, and what a person can do with it. */
export function TargetPage({ name }: { readonly name: string }) {
  const resource = useResource<ApiTargetDetails>(`api/targets/${encodeURIComponent(name)}`, [
    "deployment",
    "lock",
  ]);
  const history = usePagedList<ApiDeployment>("api/deployments", { target: name }, ["deployment"]);
  const target = resource.value;
  return (
    <>
      <PageHead
        title={name}
        heading={<Text>{name}</Text>}
        actions={
          target !== null && (
            <>
              <LockButton target={target} changed={resource.reload} />
              {target.releases !== null && target.releases.length > 1 && (
                <RollbackButton target={target} release={null} />
              )}
              <DeployButton target={target} />
            </>
          )
        }
      >
        {target !== null && <TargetPill target={target} />}
        {target?.locked != null && <Pill tone="wait" icon="lock" text="Locked" />}
      </PageHead>
      <Loaded
        resource={joinResources<[ApiTargetDetails, readonly ApiDeployment[]]>(resource, history)}
        lines={5}
      >
        {([details, items]) => (
          <>
            <LockNotice target={details} />
            <Summary target={details} />
            <TargetHosts target={details} />
            <div class="columns">
              <Section
                title="History"
                aside={<a href={addressOf("deliveries", { target: name })}>Deliveries about this target</a>}
              >
                {items.length === 0 ? (
                  <Empty title="No deployment yet">
                    <p>Push to the branch, or press Deploy.</p>
                  </Empty>
                ) : (
                  <ul class="card list">
                    {items.map((deployment) => (
                      <DeploymentRow key={deployment.id} deployment={deployment} withTarget={false} />
                    ))}
                  </ul>
                )}
                <MoreButton list={history} />
              </Section>
              <Releases target={details} history={items} />
            </div>
          </>
        )}
      </Loaded>
    </>
  );
}

function Summary({ target }: { readonly target: ApiTargetDetails }) {
  const { live, repository, branch, tag, source, directory, layout, running, queued } = target;
  return (
    <div class="card facts-card">
      <Facts
        rows={[
          [
            "Live",
            live === null ? (
              "nothing yet"
            ) : (
              <>
                {live.subject !== null && (
                  <>
                    <Text>{live.subject}</Text>{" "}
                  </>
                )}
                <Commit commit={live.commit} url={live.commit_url} />
              </>
            ),
          ],
          ["Author", live?.author == null ? null : <Text>{live.author}</Text>],
          ["Since", live && <Time at={live.since} />],
          [
            "Deployed by",
            live?.deployment == null ? null : (
              <a href={deploymentAddress(live.deployment)}>deployment {live.deployment}</a>
            ),
          ],
          [
            "Running",
            running === null ? null : <a href={deploymentAddress(running)}>deployment {running}</a>,
          ],
          ["Queued", queued === null ? null : <a href={deploymentAddress(queued)}>deployment {queued}</a>],
          [
            "Repository",
            <Text key="repository">
              {repository ?? "none: every delivery of the source runs the commands"}
            </Text>,
          ],
          ["Branch", branch === null ? null : <Text>{branch}</Text>],
          ["Tags", tag === null ? null : <Text>{tag}</Text>],
          ["Source", <Text key="source">{source}</Text>],
          ["Directory", <Copyable key="directory" text={directory} what="the directory" />],
          ["Layout", layout],
        ]}
      />
    </div>
  );
}

function Releases({
  target,
  history,
}: {
  readonly target: ApiTargetDetails;
  readonly history: readonly ApiDeployment[];
}) {
  const { releases, live } = target;
  if (releases === null) return null;
  return (
    <Section title="Releases on disk">
      {releases.length === 0 ? (
        <Empty title="No release yet">
          <p>The first deployment creates one.</p>
        </Empty>
      ) : (
        <ul class="card list">
          {releases.map((release) => {
            const made = history.find((each) => each.release === release && each.subject !== null);
            return (
              <li class="row" key={release}>
                <div class="row-main">
                  <p class="row-title">{made?.subject == null ? "Release" : <Text>{made.subject}</Text>}</p>
                  <p class="meta">
                    <code class="release">
                      <Text>{release}</Text>
                    </code>
                  </p>
                </div>
                <div class="row-aside">
                  {release === live?.release ? (
                    <Pill tone="good" icon="check" text="Live" />
                  ) : (
                    <RollbackButton target={target} release={release} />
                  )}
                </div>
              </li>
            );
          })}
        </ul>
      )}
    </Section>
  );
}
