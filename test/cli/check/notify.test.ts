import { expect, test } from "bun:test";
import { checkNotify } from "../../../src/cli/check/notify.ts";
import { Secret } from "../../../src/domain/secret.ts";

test("check shows of somebody who is told the name, the format, the host and the events, and no secret", () => {
  const url = new Secret({ kind: "env", name: "ADDRESS" });
  url.load("https://chat.example.com:8443/hooks/correct-horse?battery=staple");
  expect(
    checkNotify({
      name: "chat",
      url,
      secret: null,
      format: "slack",
      on: ["failed", "recovered"],
      targets: null,
    }),
  ).toEqual({ level: "ok", text: "tells chat: slack, to chat.example.com:8443, when failed, recovered" });
});
