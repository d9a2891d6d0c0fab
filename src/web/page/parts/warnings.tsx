import type { ApiStatus } from "../../../api/status.ts";
import { formatBytes } from "../../../lib/text.ts";
import { now } from "../live.ts";
import { Icon } from "./icons.tsx";
import { Text, Time } from "./text.tsx";

/** Milliseconds before the end of a certificate. ACME renews at a third of the lifetime, 30 of 90 days. */
const CERTIFICATE_WARNING = 14 * 24 * 3600_000;

/** The share of a file system, and the bytes, below which free space is low. */
const LOW_SHARE = 0.1;
const LOW_BYTES = 5 * 1024 ** 3;

/** Whether a file system has little space left. A large one may be fuller by share. */
export function isLow({ free_bytes, total_bytes }: ApiStatus["disks"][number]): boolean {
  return free_bytes < LOW_BYTES && free_bytes < total_bytes * LOW_SHARE;
}

/** The version of the server that this page belongs to. */
let ownVersion: string | null = null;

/** What needs attention soon. */
export function Warnings({ status }: { readonly status: ApiStatus }) {
  const { certificate_expires_at: expiry, disks, version } = status;
  ownVersion ??= version;
  const isExpiring = expiry !== null && Date.parse(expiry) - now.value < CERTIFICATE_WARNING;
  const low = disks.filter(isLow);
  return (
    <>
      {status.status === "stopping" && <Warning tone="wait">The server is stopping.</Warning>}
      {ownVersion !== version && (
        <Warning tone="wait">
          The server was updated to {version}.{" "}
          <button type="button" class="link-button" onClick={() => location.reload()}>
            Reload this page
          </button>
        </Warning>
      )}
      {isExpiring && expiry !== null && (
        <Warning tone="bad">
          The certificate {Date.parse(expiry) < now.value ? "expired" : "expires"} <Time at={expiry} />. See
          the server's log for why it was not renewed.
        </Warning>
      )}
      {low.map((disk) => (
        <Warning key={disk.path} tone="bad">
          Only {formatBytes(disk.free_bytes)} are free on the disk of{" "}
          <code>
            <Text>{disk.path}</Text>
          </code>
          .
        </Warning>
      ))}
    </>
  );
}

function Warning({
  tone,
  children,
}: {
  readonly tone: "bad" | "wait";
  readonly children: preact.ComponentChildren;
}) {
  return (
    <p class={`notice ${tone}`} role="status">
      <Icon name="warning" />
      <span>{children}</span>
    </p>
  );
}
