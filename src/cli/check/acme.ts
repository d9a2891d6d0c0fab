import { join } from "node:path";
import { createCertificateAgent } from "../../acme/agent.ts";
import type { Config } from "../../config/load.ts";
import type { Clock } from "../../domain/clock.ts";
import { ok, type Remark, warn } from "./remark.ts";

const DAY = 86_400_000;

/** The certificate that `[server.acme]` got; the CA is not asked. */
export function checkAcme(
  { server, dataDir }: Pick<Config, "server" | "dataDir">,
  clock: Clock,
): readonly Remark[] {
  if (server.acme === null) return [];
  const { settings, httpPort } = server.acme;
  const what = `automatic certificate for ${settings.domains.join(", ")}`;
  const quiet = { debug() {}, info() {}, warn() {}, error() {} };
  const kept = createCertificateAgent(settings, join(dataDir, "acme"), { clock, log: quiet }).readKept();
  if (kept === null) {
    const { host } = new URL(settings.directory);
    return [
      ok(`${what}: the next start gets it from ${host}, which must reach port ${httpPort} of each name`),
    ];
  }
  const left = kept.validTo.getTime() - clock.now().getTime();
  const text = `${what}: valid until ${kept.validTo.toISOString().slice(0, 10)} (${Math.floor(left / DAY)} days)`;
  // It is renewed with a third of its life left: with a sixth, that has failed for some time.
  const isLate = left < (kept.validTo.getTime() - kept.validFrom.getTime()) / 6;
  return [isLate ? warn(`${text}; the log of the server tells why it was not renewed`) : ok(text)];
}
