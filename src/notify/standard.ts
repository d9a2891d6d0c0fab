import { createHmac } from "node:crypto";
import { toDeploymentFields } from "../api/deployment.ts";
import type { Deployment } from "../domain/deployment.ts";
import type { Notification, NotificationChannel, PostSettings } from "../domain/notification.ts";
import { type ExplainRejection, type SendLimits, sendPost } from "./post.ts";

/**
 * Creates a channel that sends a signed POST (Standard Webhooks 1.0.0). Each attempt has its own time and signature; the
 * id and the body are the same in all attempts.
 * Source: https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
 *
 * @param publicUrl the server's own address, for the receiver; null when it is not known.
 */
export function createStandardChannel(
  { name, targets, kinds, url, secret }: PostSettings,
  publicUrl: string | null,
  limits: SendLimits,
): NotificationChannel {
  return {
    name,
    targets,
    kinds,
    send(notification, deployment, now) {
      const compose = () => {
        const id = `msg_${notification.id}_${notification.createdAt.getTime()}`;
        const timestamp = Math.floor(now.getTime() / 1000);
        const body = writeBody(notification, deployment, publicUrl);
        const headers = {
          "webhook-id": id,
          "webhook-timestamp": `${timestamp}`,
          "webhook-signature": signMessage(secret?.reveal() ?? "", id, timestamp, body),
        };
        return { url: url.reveal(), headers, body };
      };
      return sendPost(compose, explainRejection, limits);
    },
  };
}

/** The specification retries after every status but 2xx and 410. */
const explainRejection: ExplainRejection = (status) =>
  status === 410 ? "it accepts no further messages; remove it from the configuration" : null;

/**
 * The `webhook-signature` header: `v1,` and the base64 HMAC-SHA256 of `id.timestamp.body`, under the key in base64 that
 * follows the secret's `whsec_`. Throws when the secret does not have that form.
 *
 * @param timestamp Unix seconds.
 */
export function signMessage(secret: string, id: string, timestamp: number, body: string): string {
  const [, encoded] = /^whsec_([A-Za-z0-9+/]+={0,2})$/.exec(secret) ?? [];
  // Other text would decode to a shorter key or to an empty one.
  if (encoded === undefined) throw new Error("the signing secret is not `whsec_` followed by base64");
  const key = Buffer.from(encoded, "base64");
  return `v1,${createHmac("sha256", key).update(`${id}.${timestamp}.${body}`).digest("base64")}`;
}

function writeBody(
  { kind, createdAt }: Notification,
  deployment: Deployment,
  publicUrl: string | null,
): string {
  return JSON.stringify({
    type: `deployment.${kind}`,
    timestamp: createdAt.toISOString(),
    data: { deployment: deployment.id, ...toDeploymentFields(deployment), server: publicUrl },
  });
}
