import type { ApiStatus } from "../../../api/status.ts";
import { formatBytes } from "../../../lib/text.ts";
import { Loaded, PageHead, Section } from "../parts/frame.tsx";
import { HostList } from "../parts/hosts.tsx";
import { Pill } from "../parts/pill.tsx";
import { Copyable, Facts, Text, Time } from "../parts/text.tsx";
import { isLow, Warnings } from "../parts/warnings.tsx";
import { useResource } from "../resource.ts";
import { addressOf } from "../route.ts";

/** The server: version, certificate, disks, and the addresses of the sources. */
export function StatusPage() {
  const resource = useResource<ApiStatus>("api/status", ["deployment"], 15_000);
  return (
    <>
      <PageHead title="Status" heading="Status">
        {resource.value !== null &&
          (resource.value.status === "ok" ? (
            <Pill tone="good" icon="check" text="OK" />
          ) : (
            <Pill tone="wait" icon="warning" text="Stopping" />
          ))}
      </PageHead>
      <Loaded resource={resource} lines={8}>
        {(status) => (
          <>
            <Warnings status={status} />
            <div class="card facts-card">
              <Facts
                rows={[
                  ["Version", status.version],
                  ["Started", <Time key="started" at={status.started_at} />],
                  ["Targets", String(status.targets)],
                  [
                    "Running",
                    <a key="running" href={addressOf("deployments", { state: "running" })}>
                      {status.running}
                    </a>,
                  ],
                  [
                    "Queued",
                    <a key="queued" href={addressOf("deployments", { state: "queued" })}>
                      {status.queued}
                    </a>,
                  ],
                  ["Database", formatBytes(status.store_bytes)],
                  [
                    "Certificate",
                    status.certificate_expires_at === null ? (
                      "none: the listener speaks plain HTTP"
                    ) : (
                      <span key="certificate">
                        expires <Time at={status.certificate_expires_at} />
                      </span>
                    ),
                  ],
                ]}
              />
            </div>
            <HostList status={status} changed={resource.reload} />
            <Section title="Sources">
              <ul class="card list">
                {status.sources.map(({ name, provider, path }) => (
                  <li class="row" key={name}>
                    <div class="row-main">
                      <p class="row-title">
                        <a class="row-link" href={addressOf("deliveries", { source: name })}>
                          <Text>{name}</Text>
                        </a>
                      </p>
                      <p class="meta">
                        <span class="meta-text">{provider}</span>
                      </p>
                    </div>
                    <div class="row-aside wide">
                      <Copyable
                        text={addressOfSource(status.public_url, path)}
                        what="the address of the source"
                      />
                    </div>
                  </li>
                ))}
              </ul>
              {status.public_url === null && (
                <p class="faint">
                  Set <code>public_url</code> in <code>[server]</code> to see whole addresses.
                </p>
              )}
            </Section>
            <Section title="Disks">
              <ul class="card list">
                {status.disks.map((disk) => (
                  <Disk key={disk.path} disk={disk} />
                ))}
              </ul>
            </Section>
          </>
        )}
      </Loaded>
    </>
  );
}

function addressOfSource(publicUrl: string | null, path: string): string {
  return publicUrl === null ? path : publicUrl.replace(/\/$/, "") + path;
}

function Disk({ disk }: { readonly disk: ApiStatus["disks"][number] }) {
  const { path, free_bytes, total_bytes } = disk;
  const used = total_bytes === 0 ? 0 : 1 - free_bytes / total_bytes;
  return (
    <li class="row">
      <div class="row-main">
        <p class="row-title">
          <code>
            <Text>{path}</Text>
          </code>
        </p>
        <p class="meta">
          <span>
            {formatBytes(free_bytes)} free of {formatBytes(total_bytes)}
          </span>
        </p>
      </div>
      <div class="row-aside wide">
        <meter
          class={isLow(disk) ? "bad" : ""}
          value={used}
          min={0}
          max={1}
          aria-label={`Used space of ${path}`}
        >
          {Math.round(used * 100)} % used
        </meter>
        <span class="number">{Math.round(used * 100)} % used</span>
      </div>
    </li>
  );
}
