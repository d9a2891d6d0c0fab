import type { ApiDelivery } from "../../../api/delivery.ts";
import type { ApiRefusal } from "../../../api/refusal.ts";
import type { ApiStatus } from "../../../api/status.ts";
import type { ApiTarget } from "../../../api/target.ts";
import { DELIVERY_STATUSES } from "../../../domain/delivery.ts";
import { eventText, outcomeText, statusText } from "../delivery-text.ts";
import { FilterBar } from "../parts/filter.tsx";
import { Loaded, PageHead } from "../parts/frame.tsx";
import { Pill, StatusPill } from "../parts/pill.tsx";
import { Empty, Text, Time } from "../parts/text.tsx";
import { usePagedList, useResource } from "../resource.ts";
import {
  addressOf,
  deliveryAddress,
  deploymentAddress,
  type Filter,
  pickFilter,
  targetAddress,
} from "../route.ts";
import { MoreButton } from "./deployments.tsx";

function Tabs({ current }: { readonly current: "deliveries" | "refusals" }) {
  const link = (path: "deliveries" | "refusals", text: string) => (
    <a href={addressOf(path)} aria-current={current === path ? "page" : undefined}>
      {text}
    </a>
  );
  return (
    <nav class="tabs" aria-label="Kinds of requests">
      {link("deliveries", "Accepted")}
      {link("refusals", "Refused")}
    </nav>
  );
}

/** The stored deliveries, newest first, with what they led to. */
export function DeliveriesPage({ filter }: { readonly filter: Filter }) {
  const wanted = pickFilter(filter, ["source", "status", "target"]);
  const list = usePagedList<ApiDelivery>("api/deliveries", wanted, ["delivery", "deployment", "lock"]);
  const targets = useResource<{ items: readonly ApiTarget[] }>("api/targets?limit=500", []);
  const status = useResource<ApiStatus>("api/status", []);
  const sources = status.value?.sources ?? [];
  return (
    <>
      <PageHead title="Deliveries" heading="Deliveries" />
      <Tabs current="deliveries" />
      <FilterBar
        path="deliveries"
        filter={wanted}
        fields={[
          ["source", "Source", sources.map(({ name }) => name)],
          ["status", "Status", DELIVERY_STATUSES, statusText],
          ["target", "Target", targets.value?.items.map(({ name }) => name) ?? []],
        ]}
      />
      <Loaded resource={list} lines={8}>
        {(items) =>
          items.length > 0 ? (
            <>
              <ul class="card list">
                {items.map((delivery) => (
                  <DeliveryRow key={delivery.id} delivery={delivery} />
                ))}
              </ul>
              <MoreButton list={list} />
            </>
          ) : Object.keys(wanted).length > 0 ? (
            <Empty title="No delivery matches these filters">
              <p>
                <a href={addressOf("deliveries")}>Show all deliveries</a>
              </p>
            </Empty>
          ) : (
            <Empty title="No delivery yet">
              <p>
                Add a webhook at the sender with the address of a source, which <a href="#/status">Status</a>{" "}
                lists. On the server, <code>hooklatch send ping</code> sends a signed test delivery.
              </p>
              <p>
                A request that did not pass its source's checks is among the{" "}
                <a href="#/refusals">refused ones</a>.
              </p>
            </Empty>
          )
        }
      </Loaded>
    </>
  );
}

function DeliveryRow({ delivery }: { readonly delivery: ApiDelivery }) {
  const { id, source, status, received_at, client, replay_of, redelivery_of } = delivery;
  return (
    <li class="row">
      <div class="row-state">
        <StatusPill status={status} />
      </div>
      <div class="row-main">
        <p class="row-title">
          <a class="row-link" href={deliveryAddress(id)}>
            <Text>{eventText(delivery)}</Text> from <Text>{source}</Text>
          </a>
        </p>
        <p class="meta">
          <span>#{id}</span>
          <span class="meta-text">
            <Text>{client}</Text>
          </span>
          {replay_of !== null && <span>replay of {replay_of}</span>}
          {redelivery_of !== null && <span>redelivery of {redelivery_of}</span>}
        </p>
        <Results delivery={delivery} />
      </div>
      <div class="row-aside">
        <Time at={received_at} />
      </div>
    </li>
  );
}

/** Targets that a row names. */
const MAX_NAMED = 5;

function Results({ delivery }: { readonly delivery: ApiDelivery }) {
  const { decisions, outcomes, reason } = delivery;
  if (outcomes.length === 0 && decisions.length === 0) {
    return reason === null ? null : (
      <p class="row-reason">
        <Text>{reason}</Text>
      </p>
    );
  }
  const refused = decisions.filter(
    ({ deploy, target }) => !deploy && !outcomes.some((each) => each.target === target),
  );
  const more = outcomes.length + refused.length - MAX_NAMED;
  return (
    <ul class="results">
      {outcomes.slice(0, MAX_NAMED).map((outcome) => (
        <li key={outcome.deployment}>
          <a href={targetAddress(outcome.target)}>
            <Text>{outcome.target}</Text>
          </a>
          : <a href={deploymentAddress(outcome.deployment)}>deployment {outcome.deployment}</a>{" "}
          <Text>{outcomeText(outcome)}</Text>
        </li>
      ))}
      {refused.slice(0, Math.max(0, MAX_NAMED - outcomes.length)).map(({ target, reason: why }) => (
        <li key={target}>
          <a href={targetAddress(target)}>
            <Text>{target}</Text>
          </a>
          : not deployed
          {why !== null && (
            <>
              , <Text>{why}</Text>
            </>
          )}
        </li>
      ))}
      {more > 0 && <li>and {more} more</li>}
    </ul>
  );
}

/** The latest refused requests, with what to do. */
export function RefusalsPage({ filter }: { readonly filter: Filter }) {
  const wanted = pickFilter(filter, ["source"]);
  // Refusals are not in the stream of events, because strangers can cause any number of them.
  const list = usePagedList<ApiRefusal>("api/refusals", wanted, ["delivery"], 5_000);
  const status = useResource<ApiStatus>("api/status", []);
  return (
    <>
      <PageHead title="Refused requests" heading="Deliveries" />
      <Tabs current="refusals" />
      <FilterBar
        path="refusals"
        filter={wanted}
        fields={[["source", "Source", status.value?.sources.map(({ name }) => name) ?? []]]}
      />
      <Loaded resource={list} lines={6}>
        {(items) =>
          items.length === 0 ? (
            <Empty
              title={
                Object.keys(wanted).length > 0
                  ? "No refused request of this source"
                  : "No request was refused"
              }
            >
              <p>
                The latest 1,000 refused requests since the start of the server appear here. If the sender
                reports an error and nothing is here, its request did not arrive.
              </p>
            </Empty>
          ) : (
            <>
              <ul class="card list">
                {items.map((refusal) => (
                  <RefusalRow key={refusal.id} refusal={refusal} />
                ))}
              </ul>
              <MoreButton list={list} />
            </>
          )
        }
      </Loaded>
    </>
  );
}

function RefusalRow({ refusal }: { readonly refusal: ApiRefusal }) {
  const { source, client, code, reason, hint, provider_id, time } = refusal;
  return (
    <li class="row">
      <div class="row-state">
        <Pill tone="bad" icon="cross" text="Refused" />
      </div>
      <div class="row-main">
        <p class="row-title">
          <Text>{reason.replaceAll("`", "")}</Text>
        </p>
        {hint !== null && (
          <p class="hint-line">
            <strong>What to do:</strong> <Text>{hint.replaceAll("`", "")}</Text>
          </p>
        )}
        <p class="meta">
          <span class="meta-text">
            <Text>{source}</Text>
          </span>
          <span class="meta-text">{client === null ? "unknown address" : <Text>{client}</Text>}</span>
          <code>{code}</code>
          {provider_id !== null && (
            <span class="meta-text">
              id <Text>{provider_id}</Text>
            </span>
          )}
        </p>
      </div>
      <div class="row-aside">
        <Time at={time} />
      </div>
    </li>
  );
}
