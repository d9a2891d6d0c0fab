import type { ApiClient } from "../../../api/client.ts";
import { announce } from "../live.ts";
import { ActionButton } from "../parts/dialog.tsx";
import { Loaded, PageHead } from "../parts/frame.tsx";
import { Empty, Text, Time } from "../parts/text.tsx";
import { request } from "../request.ts";
import { usePagedList } from "../resource.ts";
import { MoreButton } from "./deployments.tsx";

/** The addresses that showed a verify token. */
export function ClientsPage() {
  const list = usePagedList<ApiClient>("api/clients", {}, ["client"]);
  return (
    <>
      <PageHead title="Clients" heading="Clients" />
      <p class="lead">Addresses that showed the verify token of a source and may POST to it for a while.</p>
      <Loaded resource={list} lines={4}>
        {(items) =>
          items.length === 0 ? (
            <Empty title="No client is authorised">
              <p>
                Only sources with a verify token have clients. An address becomes one with a GET of the
                source's address and the header <code>Authorization: Bearer TOKEN</code>.
              </p>
            </Empty>
          ) : (
            <>
              <ul class="card list">
                {items.map((client) => (
                  <ClientRow key={client.id} client={client} changed={list.reload} />
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

function ClientRow({ client, changed }: { readonly client: ApiClient; readonly changed: () => void }) {
  const { address, source, authorised_at, expires_at } = client;
  return (
    <li class="row">
      <div class="row-main">
        <p class="row-title">
          <Text>{address}</Text>
        </p>
        <p class="meta">
          <span class="meta-text">
            source <Text>{source}</Text>
          </span>
          <span>
            authorised <Time at={authorised_at} />
          </span>
          <span>
            expires <Time at={expires_at} />
          </span>
        </p>
      </div>
      <div class="row-aside">
        <ActionButton
          label="Revoke"
          kind="small"
          action={() => ({
            title: `Revoke ${address}`,
            confirm: "Revoke",
            isDangerous: true,
            body: (
              <p>
                The address may not POST to <Text>{source}</Text> until it shows the token again.
              </p>
            ),
            run: () =>
              request(
                "DELETE",
                `api/clients/${encodeURIComponent(address)}?source=${encodeURIComponent(source)}`,
              ),
            done() {
              announce(`${address} is revoked.`);
              changed();
            },
          })}
        />
      </div>
    </li>
  );
}
