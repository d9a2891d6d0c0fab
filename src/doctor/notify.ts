import type { NotificationSettings } from "../domain/notification.ts";
import { type CheckResult, ok } from "./index.ts";

/** Who is told of deployments. Of an address only the host is shown: the rest of it may be a secret. */
export function checkNotify({ name, format, url, kinds }: NotificationSettings): CheckResult {
  return ok(`tells ${name}: ${format}, to ${new URL(url.reveal()).host}, when ${kinds.join(", ")}`);
}
