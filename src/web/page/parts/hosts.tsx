import type { ApiStatus } from "../../../api/status.ts";
import type { ApiTarget } from "../../../api/target.ts";
import { request } from "../request.ts";
import { addressOf, deploymentAddress } from "../route.ts";
import { ActionButton } from "./dialog.tsx";
import { Section } from "./frame.tsx";
import { Pill } from "./pill.tsx";
import { Commit, Text, Time } from "./text.tsx";

type HostState = NonNullable<ApiStatus["hosts"]>[number];

/** Whether a host deploys now. */
function HostPill({ state, draining }: Pick<HostState, "state" | "draining">) {
  if (state !== "up")
    return <Pill tone="bad" icon="warning" text={state === "away" ? "Away" : "Never seen"} />;
  if (draining) return <Pill tone="wait" icon="warning" text="Drained" />;
  return <Pill tone="good" icon="check" text="Up" />;
}

/** The hosts that share the store, each with a button that drains it or ends that. */
export function HostList({ status, changed }: { readonly status: ApiStatus; readonly changed: () => void }) {
  if (status.hosts === null) return null;
  return (
    <Section title="Hosts">
      <ul class="card list">
        {status.hosts.map((host) => (
          <li class="row" key={host.name}>
            <div class="row-main">
              <p class="row-title">
                <a class="row-link" href={addressOf("deployments", { host: host.name })}>
                  <Text>{host.name}</Text>
                </a>
                <HostPill {...host} />
              </p>
              {host.name === status.host && <p class="meta">This server</p>}
            </div>
            <div class="row-aside">
              <DrainButton host={host} changed={changed} />
            </div>
          </li>
        ))}
      </ul>
    </Section>
  );
}

function DrainButton({
  host: { name, draining },
  changed,
}: {
  readonly host: HostState;
  readonly changed: () => void;
}) {
  const act = draining ? "undrain" : "drain";
  return (
    <ActionButton
      label={draining ? "Resume" : "Drain"}
      action={() => ({
        title: draining ? `Resume deployments on ${name}` : `Drain ${name}`,
        confirm: draining ? "Resume" : "Drain",
        body: (
          <p>
            {draining
              ? "It starts the deployments that wait for it."
              : "It starts no further deployment. Running ones finish, queued ones wait."}
          </p>
        ),
        run: () => request("POST", `api/hosts/${encodeURIComponent(name)}/${act}`, {}),
        done: changed,
      })}
    />
  );
}

/** What is live and under way on each host of a target. */
export function TargetHosts({ target: { hosts } }: { readonly target: ApiTarget }) {
  if (hosts === null) return null;
  return (
    <Section title="Hosts">
      <ul class="card list">
        {hosts.map(({ host, live, running, queued, last, ...state }) => (
          <li class="row" key={host}>
            <div class="row-main">
              <p class="row-title">
                <a class="row-link" href={addressOf("deployments", { host })}>
                  <Text>{host}</Text>
                </a>
                <HostPill {...state} />
              </p>
              <p class="meta">
                {live === null ? (
                  <span>Nothing is live</span>
                ) : (
                  <Commit commit={live.commit} url={live.commit_url} />
                )}
                {running !== null && <a href={deploymentAddress(running)}>Deployment {running} runs</a>}
                {queued !== null && <a href={deploymentAddress(queued)}>Deployment {queued} waits</a>}
                {last?.state === "failed" && (
                  <a href={deploymentAddress(last.id)}>Deployment {last.id} failed</a>
                )}
              </p>
            </div>
            <div class="row-aside">{live !== null && <Time at={live.since} />}</div>
          </li>
        ))}
      </ul>
    </Section>
  );
}
