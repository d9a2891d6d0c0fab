import { useSignal } from "@preact/signals";
import type { ApiDeployment } from "../../../api/deployment.ts";
import type { ApiStatus } from "../../../api/status.ts";
import type { ApiTarget } from "../../../api/target.ts";
import { DEPLOYMENT_STATES } from "../../../domain/deployment.ts";
import { capitalise } from "../format.ts";
import { hostNames } from "../hosts.ts";
import { DeploymentRow } from "../parts/deployment-row.tsx";
import { FilterBar } from "../parts/filter.tsx";
import { Loaded, PageHead } from "../parts/frame.tsx";
import { Empty } from "../parts/text.tsx";
import { type PagedList, usePagedList, useResource } from "../resource.ts";
import { addressOf, type Filter, pickFilter } from "../route.ts";

/** All deployments, newest first. */
export function DeploymentsPage({ filter }: { readonly filter: Filter }) {
  const wanted = pickFilter(filter, ["target", "state", "source", "host"]);
  const list = usePagedList<ApiDeployment>("api/deployments", wanted, ["deployment"]);
  const targets = useResource<{ items: readonly ApiTarget[] }>("api/targets?limit=500", []);
  const status = useResource<ApiStatus>("api/status", []);
  return (
    <>
      <PageHead title="Deployments" heading="Deployments" />
      <FilterBar
        path="deployments"
        filter={wanted}
        fields={[
          ["target", "Target", targets.value?.items.map(({ name }) => name) ?? []],
          ["state", "State", DEPLOYMENT_STATES, capitalise],
          ["source", "Source", status.value?.sources.map(({ name }) => name) ?? []],
          ...(hostNames.value.length > 0 ? [["host", "Host", hostNames.value] as const] : []),
        ]}
      />
      <Loaded resource={list} lines={8}>
        {(items) =>
          items.length > 0 ? (
            <>
              <ul class="card list">
                {items.map((deployment) => (
                  <DeploymentRow key={deployment.id} deployment={deployment} />
                ))}
              </ul>
              <MoreButton list={list} />
            </>
          ) : Object.keys(wanted).length > 0 ? (
            <Empty title="No deployment matches these filters">
              <p>
                <a href={addressOf("deployments")}>Show all deployments</a>
              </p>
            </Empty>
          ) : (
            <Empty title="No deployment yet">
              <p>
                Push to a branch that a target deploys, or press Deploy on the page of a target. If a push
                arrived and nothing happened, <a href={addressOf("deliveries")}>its delivery</a> says why.
              </p>
            </Empty>
          )
        }
      </Loaded>
    </>
  );
}

/** Loads the next page of a list. */
export function MoreButton({ list }: { readonly list: PagedList<unknown> }) {
  const isBusy = useSignal(false);
  if (!list.hasMore) return null;
  return (
    <p class="more">
      <button
        type="button"
        class="button"
        disabled={isBusy.value}
        onClick={async () => {
          isBusy.value = true;
          await list.loadMore();
          isBusy.value = false;
        }}
      >
        Show older
      </button>
    </p>
  );
}
