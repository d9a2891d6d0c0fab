import type { ApiStatus } from "../../api/status.ts";
import { formatBytes } from "../../lib/text.ts";
import { describeHostState, hostColour } from "./host.ts";
import { colourOf, formatDate, formatTime, type Style } from "./style.ts";
import { type Field, formatFields } from "./table.ts";

/** The state of the server. */
export function formatStatus(status: ApiStatus, style: Style): string {
  const { version, started_at, public_url, sources, targets, queued, running, store_bytes, disks } = status;
  const { host, hosts } = status;
  const certificate = status.certificate_expires_at;
  const fields: readonly Field[] = [
    { name: "status", text: status.status, colour: colourOf(status.status) },
    { name: "version", text: version },
    { name: "started", text: formatTime(started_at, style) },
    { name: "public url", text: public_url },
    ...sources.map(({ name, provider, path }) => ({
      name: "source",
      text: `${name} (${provider}) at ${path}`,
    })),
    ...(hosts ?? []).map((each) => ({
      name: "host",
      text: `${each.name}: ${describeHostState(each)}${each.name === host ? " (this one)" : ""}`,
      colour: hostColour(each),
    })),
    { name: "targets", text: String(targets) },
    { name: "running", text: describeCount(running) },
    { name: "queued", text: describeCount(queued) },
    { name: "store", text: formatBytes(store_bytes) },
    ...disks.map(({ path, free_bytes, total_bytes }) => ({
      name: "disk",
      text: `${path}: ${formatBytes(free_bytes)} of ${formatBytes(total_bytes)} free`,
    })),
    {
      name: "certificate",
      text: certificate === null ? "none (plain HTTP)" : `expires ${formatDate(certificate, style)}`,
    },
  ];
  return formatFields(fields, style);
}

function describeCount(deployments: number): string {
  return deployments === 1 ? "1 deployment" : `${deployments} deployments`;
}
