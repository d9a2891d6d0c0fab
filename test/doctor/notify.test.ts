import { describe, expect, test } from "bun:test";
import { checkNotify } from "../../src/doctor/index.ts";
import { Secret } from "../../src/lib/secret.ts";
import { MAIL_PASSWORD, serveMail } from "../notify/mail-server.ts";
import { loadSecret } from "../providers/load-secret.ts";
import { freePort } from "../support/free-port.ts";
import { words } from "../support/words.ts";

test("the notification check shows the name, format, host and events of a notification channel, but no secret", async () => {
  // No name below "invalid" has an address (RFC 6761, section 6.4).
  for (const [host, expected] of [
    ["127.0.0.1:8443", "ok"],
    ["[::1]:8443", "ok"],
    ["chat.invalid:8443", "warn"],
  ] as const) {
    const url = new Secret({ kind: "env", name: "ADDRESS" });
    url.load(`https://${host}/hooks/correct-horse?battery=staple`);
    const { level, text } = await checkNotify({
      name: "chat",
      url,
      secret: null,
      format: "slack",
      kinds: ["failed", "recovered"],
      targets: null,
    });
    expect(level).toBe(expected);
    for (const fact of ["chat", "slack", host, "failed, recovered"]) expect(text).toContain(fact);
    expect(text).not.toMatch(/hooks|correct-horse|battery|staple/);
    expect(text).toMatchSnapshot();
  }
});

describe("the check of an e-mail notification", () => {
  const check = (port: number, password: string) =>
    checkNotify({
      name: "mail",
      format: "smtp",
      host: "127.0.0.1",
      port,
      tls: "none",
      login: { user: "ada", password: loadSecret(password) },
      from: { name: "", address: "deploy@example.com" },
      to: [{ name: "", address: "ops@example.com" }],
      kinds: ["failed"],
      targets: null,
    });

  test("logs in and sends nothing", async () => {
    await using server = await serveMail();
    const { level, text } = await check(server.port, MAIL_PASSWORD);
    expect(level).toBe("ok");
    for (const fact of ["mail", "ops@example.com", `127.0.0.1:${server.port}`, "failed"]) {
      expect(text).toContain(fact);
    }
    expect(server.received).toEqual([]);
  });

  test("fails when the login is rejected, and warns when the server cannot be reached", async () => {
    await using server = await serveMail();
    const wrong = await check(server.port, "a wrong password");
    expect(wrong.level).toBe("fail");
    expect(wrong.text).not.toContain("a wrong password");
    const closed = await check(freePort(), MAIL_PASSWORD);
    expect(closed.level).toBe("warn");
    expect([wrong.text, closed.text].map((text) => words(text))).toMatchSnapshot();
  });
});
