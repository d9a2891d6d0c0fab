import { expect, test } from "bun:test";
import { createHmac } from "node:crypto";
import { stripe } from "../../../src/providers/stripe/index.ts";
import { DESTINATION, post } from "../../support/request.ts";
import { loadSecret } from "../load-secret.ts";
import { BODY, describeTimedSignature, SECONDS } from "../timed.contract.ts";

const SECRET = "whsec_0123456789abcdef0123456789abcdef";
const handler = stripe.createHandler({ secrets: [loadSecret("an older secret"), loadSecret(SECRET)] });

function sign(body: string, time: number | string = SECONDS, secret = SECRET) {
  const digest = createHmac("sha256", secret).update(`${time}.${body}`).digest("hex");
  return post({ "stripe-signature": `t=${time},v1=${digest},v0=x` }, body);
}

describeTimedSignature({ name: "Stripe", handler, sign, credential: "stripe-signature" });

test("Stripe's id and type come from the signed body", () => {
  expect(handler.parse(post({}, BODY))).toMatchObject({
    events: [{ kind: "other", name: "invoice.paid" }],
    identity: { id: "evt_1", hook: null },
  });
});

test("Stripe's header may have one time only", () => {
  const request = sign(BODY);
  request.headers.set("stripe-signature", `t=1,${request.headers.get("stripe-signature")}`);
  expect(handler.verify(request, null, DESTINATION.now)).toMatchObject({ code: "signature_mismatch" });
});
