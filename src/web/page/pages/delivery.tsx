import { useSignal } from "@preact/signals";
import { useMemo } from "preact/hooks";
import type { ApiDeliveryDetails, ApiReceipt } from "../../../api/delivery.ts";
import { formatBytes } from "../../../lib/text.ts";
import { eventDetails } from "../delivery-text.ts";
import { printable } from "../format.ts";
import { announce } from "../live.ts";
import { ActionButton } from "../parts/dialog.tsx";
import { Loaded, PageHead, Section } from "../parts/frame.tsx";
import { Icon, IconText } from "../parts/icons.tsx";
import { JsonTree } from "../parts/json-tree.tsx";
import { Pill, StatePill, StatusPill } from "../parts/pill.tsx";
import { Commit, copy, Empty, Facts, Text, Time } from "../parts/text.tsx";
import { decodePayload } from "../payload.ts";
import { request } from "../request.ts";
import { useResource } from "../resource.ts";
import { deliveryAddress, deploymentAddress, targetAddress } from "../route.ts";

/** A delivery: what it says, and what was decided for each target. */
export function DeliveryPage({ id }: { readonly id: number }) {
  const resource = useResource<ApiDeliveryDetails>(`api/deliveries/${id}`, ["deployment", "lock"]);
  const delivery = resource.value;
  return (
    <>
      <PageHead
        title={`Delivery ${id}`}
        heading={`Delivery ${id}`}
        actions={delivery !== null && <ReplayButton id={id} />}
      >
        {delivery !== null && <StatusPill status={delivery.status} />}
      </PageHead>
      <Loaded resource={resource} lines={6}>
        {(value) => (
          <>
            <Summary delivery={value} />
            <Decisions delivery={value} />
            <Section title="Headers">
              <div class="card facts-card">
                <Facts
                  rows={Object.entries(value.headers).map(([name, text]) => [
                    name,
                    <Text key={name}>{text}</Text>,
                  ])}
                />
              </div>
            </Section>
            <PayloadView delivery={value} />
          </>
        )}
      </Loaded>
    </>
  );
}

function ReplayButton({ id }: { readonly id: number }) {
  const receipt = useSignal<ApiReceipt | null>(null);
  return (
    <ActionButton
      label={<IconText icon="deliveries">Replay</IconText>}
      kind="primary"
      action={() => ({
        title: `Replay delivery ${id}`,
        confirm: "Replay",
        body: (
          <p>
            It is processed again with the current configuration, as a new delivery. A push deploys the tip of
            its branch.
          </p>
        ),
        run: async () => {
          const outcome = await request<ApiReceipt>("POST", `api/deliveries/${id}/replay`, {});
          if (outcome.kind === "done") receipt.value = outcome.value;
          return outcome;
        },
        done() {
          if (receipt.value === null) return;
          announce(`Delivery ${id} was replayed as delivery ${receipt.value.delivery}.`);
          location.hash = deliveryAddress(receipt.value.delivery);
        },
      })}
    />
  );
}

function Pushed({ push: { ref, commit } }: { readonly push: ApiDeliveryDetails["pushes"][number] }) {
  return (
    <div>
      <Text>{ref}</Text> {commit !== null && <Commit commit={commit} url={null} />}
    </div>
  );
}

function Summary({ delivery }: { readonly delivery: ApiDeliveryDetails }) {
  const { source, received_at, client, provider_id, pushes, ci } = delivery;
  const { redelivery_of, replay_of } = delivery;
  const about = pushes[0] ?? ci;
  const link = (id: number | null) => (id === null ? null : <a href={deliveryAddress(id)}>delivery {id}</a>);
  return (
    <div class="card facts-card">
      <Facts
        rows={[
          ["Event", <Text key="event">{eventDetails(delivery)}</Text>],
          ["Source", <Text key="source">{source}</Text>],
          ["Received", <Time key="received" at={received_at} />],
          ["Sender", <Text key="client">{client}</Text>],
          ["Repository", about && <Text key="repository">{about.repository}</Text>],
          [
            "Pushed",
            pushes.length === 0 ? null : pushes.map((push) => <Pushed key={push.ref} push={push} />),
          ],
          ["CI", ci && <Text>{`${ci.workflow ?? "CI"}: ${ci.outcome}`}</Text>],
          ["Commit", ci && <Commit commit={ci.commit} url={null} />],
          ["Id of the sender", provider_id === null ? null : <Text>{provider_id}</Text>],
          ["Redelivery of", link(redelivery_of)],
          ["Replay of", link(replay_of)],
        ]}
      />
    </div>
  );
}

/** What was decided for each target, and what became of it. */
function Decisions({ delivery }: { readonly delivery: ApiDeliveryDetails }) {
  const { decisions, outcomes, other_targets, reason, event } = delivery;
  const others =
    other_targets === 0 ? null : (
      <p class="faint">
        It is not about {other_targets} other {other_targets === 1 ? "target" : "targets"} of the source.
      </p>
    );
  return (
    <Section title="Targets">
      {decisions.length === 0 ? (
        <Empty title={event === "ping" ? "A ping deploys nothing" : "It is about no target"}>
          {reason !== null && (
            <p>
              <Text>{reason}</Text>
            </p>
          )}
          {event === "ping" && (
            <p>The sender and the secret fit. The next push to a deployed branch is deployed.</p>
          )}
        </Empty>
      ) : (
        <ul class="card list">
          {decisions.map(({ target, deploy, code, reason: why }) => {
            const own = outcomes.filter((outcome) => outcome.target === target);
            return (
              <li class="row" key={target}>
                <div class="row-state">
                  {deploy ? (
                    <Pill tone="good" icon="check" text="Deploys" />
                  ) : (
                    <Pill tone="quiet" icon="dash" text="Not deployed" />
                  )}
                </div>
                <div class="row-main">
                  <p class="row-title">
                    <a class="row-link" href={targetAddress(target)}>
                      <Text>{target}</Text>
                    </a>
                  </p>
                  {why !== null && (
                    <p class="row-why">
                      <Text>{why}</Text> {code !== null && <code>{code}</code>}
                    </p>
                  )}
                  {own.map((outcome) => (
                    <p class="row-outcome" key={outcome.deployment}>
                      <StatePill state={outcome.state} code={outcome.code} />
                      <a href={deploymentAddress(outcome.deployment)}>Deployment {outcome.deployment}</a>
                      {outcome.reason !== null && <Text>{outcome.reason}</Text>}
                    </p>
                  ))}
                </div>
              </li>
            );
          })}
        </ul>
      )}
      {others}
    </Section>
  );
}

/** Characters of a body that are shown as text. */
const MAX_TEXT = 200_000;

function PayloadView({ delivery }: { readonly delivery: ApiDeliveryDetails }) {
  const { body, headers } = delivery;
  const isRaw = useSignal(false);
  const payload = useMemo(() => decodePayload(body, headers["content-type"] ?? ""), [body]);
  const size = formatBytes(new Blob([body]).size);
  return (
    <Section
      title="Payload"
      aside={
        <span class="section-tools">
          <span class="faint">{size}</span>
          {payload.kind === "json" && (
            <button
              type="button"
              class="quiet-button"
              aria-pressed={isRaw.value}
              onClick={() => {
                isRaw.value = !isRaw.value;
              }}
            >
              As received
            </button>
          )}
          <button type="button" class="quiet-button" onClick={() => void copy(body, "Payload")}>
            <Icon name="copy" />
            <span>Copy</span>
          </button>
        </span>
      }
    >
      <div class="card payload">
        {payload.kind === "json" && !isRaw.value ? (
          <JsonTree value={payload.value} />
        ) : (
          <pre tabIndex={0}>
            {printable(body.slice(0, MAX_TEXT))}
            {body.length > MAX_TEXT && "\n… Copy has the whole payload."}
          </pre>
        )}
      </div>
    </Section>
  );
}
