import type { Provider } from "../domain/provider.ts";
import type { CommitStatus } from "../domain/target.ts";
import { under } from "./finding.ts";
import type { Ground } from "./ground.ts";
import type { TargetSection } from "./schema.ts";
import { loadToken } from "./secret.ts";
import { parseHttpUrl, warnOfPlainHttp } from "./url.ts";

/** Where GitHub takes commit statuses (docs.github.com/rest/commits/statuses). */
const GITHUB_API = "https://api.github.com";

/**
 * Where the forge is told how each commit fared; null for a target that tells none.
 * Without a provider, because the source is faulty, no API's base is asked for.
 */
export function readCommitStatus(
  section: TargetSection,
  provider: Provider | undefined,
  ground: Ground,
): CommitStatus | null {
  const { has, place, values } = section;
  const at = under(place, "status_url");
  if (values.status_token !== undefined) {
    loadToken(values.status_token, under(place, "status_token"), ground);
  }
  if (has("status_url") && !has("status_token")) {
    ground.report.fault(at, 'expected "status_token" beside it, found none');
  }
  if (has("status_token") && !has("status_url") && provider !== undefined && provider.name !== "github") {
    ground.report.fault(
      at,
      `expected the base of the forge's API, which provider "${provider.name}" does not tell, found nothing`,
    );
  }
  const apiUrl = readApiUrl(section, ground);
  if (values.status_token === undefined || apiUrl === undefined) return null;
  return Object.freeze({ token: values.status_token, apiUrl });
}

/** Without a slash at its end. */
function readApiUrl({ place, values }: TargetSection, ground: Ground): string | undefined {
  const text = values.status_url ?? GITHUB_API;
  const at = under(place, "status_url");
  const url = parseHttpUrl(text);
  if (url === undefined || /[?#]/.test(text)) {
    ground.report.fault(
      at,
      `expected a URL such as "${GITHUB_API}", without user, password, query or fragment`,
    );
    return undefined;
  }
  warnOfPlainHttp(url, at, ground);
  return url.href.replace(/\/+$/, "");
}
