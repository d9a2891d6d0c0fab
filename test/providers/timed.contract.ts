import { describe, expect, test } from "bun:test";
import type { RawRequest, SourceHandler } from "../../src/domain/provider.ts";
import { DESTINATION, post } from "../support/request.ts";

/** A sender that signs the time with the body. */
export interface TimedSubject {
  readonly name: string;
  readonly handler: SourceHandler;
  /** Signs a body for a time in Unix seconds. */
  readonly sign: (body: string, time?: number | string, secret?: string) => RawRequest;
  /** The header with the signature. */
  readonly credential: string;
}

/** When the requests arrive. */
const NOW = DESTINATION.now;

/** The same in Unix seconds. */
export const SECONDS = NOW.getTime() / 1000;

/** A body of these senders. */
export const BODY = '{"id":"evt_1","type":"invoice.paid"}';

/** Tests what the signature of every such sender must guarantee. */
export function describeTimedSignature({ name, handler, sign, credential }: TimedSubject): void {
  const doubled = sign(BODY);
  doubled.headers.append(credential, doubled.headers.get(credential) ?? "");

  describe(`the signature of ${name}`, () => {
    test("is accepted up to five minutes away", () => {
      for (const time of [SECONDS - 300, SECONDS, SECONDS + 300]) {
        expect(handler.verify(sign(BODY, time), null, NOW)).toEqual({ kind: "verified" });
      }
    });

    test.each([
      ["an hour old", sign(BODY, SECONDS - 3600), "timestamp_too_old"],
      ["early", sign(BODY, SECONDS + 301), "timestamp_too_new"],
      ["of a time with letters", sign(BODY, `${SECONDS}abc`), "timestamp_invalid"],
      ["of another secret", sign(BODY, SECONDS, "another"), "signature_mismatch"],
      ["of another body", { ...sign(BODY), body: Buffer.from("{}") }, "signature_mismatch"],
      ["doubled", doubled, "signature_mismatch"],
      ["missing", post({}, BODY), "signature_missing"],
    ])("is refused when it is %s", (_, request, code) => {
      expect(handler.verify(request, null, NOW)).toMatchObject({ kind: "refused", code });
    });
  });
}
