import { expect, test } from "bun:test";
import { checkNotify } from "../../src/doctor/index.ts";
import { Secret } from "../../src/lib/secret.ts";

test("the notification check shows the name, format, host and events of a notification channel, but no secret", () => {
  const url = new Secret({ kind: "env", name: "ADDRESS" });
  url.load("https://chat.example.com:8443/hooks/correct-horse?battery=staple");
  const { level, text } = checkNotify({
    name: "chat",
    url,
    secret: null,
    format: "slack",
    kinds: ["failed", "recovered"],
    targets: null,
  });
  expect(level).toBe("ok");
  for (const fact of ["chat", "slack", "chat.example.com:8443", "failed, recovered"]) {
    expect(text).toContain(fact);
  }
  expect(text).not.toMatch(/hooks|correct-horse|battery|staple/);
  expect(text).toMatchSnapshot();
});
