import { sign } from "@octokit/webhooks-methods";

/** Sends a delivery in the format of GitHub, signed by GitHub's library. */
export async function deliver(
  url: URL | string,
  event: string,
  json: string,
  options: { secret: string; form?: boolean; id?: string; headers?: Record<string, string> },
): Promise<Response> {
  const body = options.form ? `payload=${encodeURIComponent(json)}` : json;
  return fetch(url, {
    method: "POST",
    redirect: "manual",
    body,
    headers: {
      "content-type": options.form ? "application/x-www-form-urlencoded" : "application/json",
      "user-agent": "GitHub-Hookshot/044aadd",
      "x-github-delivery": options.id ?? crypto.randomUUID(),
      "x-github-event": event,
      "x-github-hook-id": "292430182",
      "x-hub-signature-256": await sign(options.secret, body),
      ...options.headers,
    },
  });
}
