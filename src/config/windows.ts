import { readSocketPath } from "../lib/ip-address.ts";
import { child, type IssueList, type Place } from "./read/issues.ts";

/** Why the configuration of a target is a fault, and why there is no demo. */
export const NO_DEPLOYMENTS =
  "deployments are not supported on Windows, which has no process groups and no /bin/sh: use Linux or macOS for them";

/** The parts of a configuration that depend on the system. */
interface SystemParts {
  readonly root: Place;
  readonly hasTargets: boolean;
  readonly host: string;
  readonly dataDir: string;
}

/** Reports what a configuration needs and Windows lacks. */
export function checkForWindows({ root, hasTargets, host, dataDir }: SystemParts, issues: IssueList): void {
  if (hasTargets) issues.fault(child(root, "target"), NO_DEPLOYMENTS);
  if (readSocketPath(host) !== null) {
    const place = child(child(root, "server"), "host");
    issues.fault(place, "unix sockets are not supported on Windows: use an IP address");
  }
  issues.warn(
    child(root, "data_dir"),
    `Windows ignores the modes that keep secrets private: give only the account of the server access to ${dataDir}`,
  );
}
