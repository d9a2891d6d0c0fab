import type { NotifySettings } from "../../domain/messenger.ts";
import { ok, type Remark } from "./remark.ts";

/** Who is told of deployments. Of an address only the host is shown: the rest of it may be a secret. */
export function checkNotify({ name, format, url, on }: NotifySettings): Remark {
  return ok(`tells ${name}: ${format}, to ${new URL(url.reveal()).host}, when ${on.join(", ")}`);
}
