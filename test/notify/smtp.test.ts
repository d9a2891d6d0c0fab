import { afterAll, describe, expect, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { createServer, type Server } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { MailSettings } from "../../src/domain/notification.ts";
import { createMailChannel, tryMailServer } from "../../src/notify/smtp.ts";
import { loadSecret } from "../providers/load-secret.ts";
import { makeCertificate } from "../support/certificate.ts";
import { freePort } from "../support/free-port.ts";
import { words } from "../support/words.ts";
import { headersOf, MAIL_PASSWORD, type MailServer, serveMail, textOf } from "./mail-server.ts";
import { deploymentOf, LONG_TIMEOUT, NOW, notificationOf, reasonOf, TIP } from "./samples.ts";

const directory = mkdtempSync(join(tmpdir(), "hooklatch-mail-"));
afterAll(() => rmSync(directory, { recursive: true, force: true }));

const settingsFor = (
  { port }: Pick<MailServer, "port">,
  changes: Partial<MailSettings> = {},
): MailSettings => ({
  name: "mail",
  format: "smtp",
  host: "127.0.0.1",
  port,
  tls: "none",
  login: null,
  from: { name: "hooklatch", address: "deploy@example.com" },
  to: [{ name: "", address: "ops@example.com" }],
  kinds: ["failed", "recovered", "succeeded"],
  targets: null,
  ...changes,
});

const login = (password = MAIL_PASSWORD) => ({ user: "ada", password: loadSecret(password) });

function send(
  settings: MailSettings,
  deployment = deploymentOf({
    state: "failed",
    code: "step_failed",
    reason: 'step "npm test" exited with 1',
  }),
  limits = LONG_TIMEOUT,
) {
  return createMailChannel(settings, "https://hooks.example.com", limits).send(
    notificationOf("failed"),
    deployment,
    NOW,
  );
}

describe("an e-mail", () => {
  test("has the commit, its author and page, and the reason", async () => {
    await using server = await serveMail();
    const to = [
      { name: "", address: "ops@example.com" },
      { name: "Ädä", address: "ada@example.com" },
    ];
    expect(await send(settingsFor(server, { to }))).toEqual({ kind: "taken" });
    const [mail, ...others] = server.received;
    if (mail === undefined) throw new Error("nothing was received");
    expect(others).toEqual([]);
    expect(mail).toMatchObject({
      from: "deploy@example.com",
      to: ["ops@example.com", "ada@example.com"],
      secure: false,
      user: null,
    });
    const headers = headersOf(mail);
    expect(headers.get("subject")).toBe("blog failed: Fix the menu");
    expect(headers.get("from")).toBe("hooklatch <deploy@example.com>");
    expect(headers.get("to")).toMatch(/^ops@example\.com, =\?UTF-8\?\S+\?= <ada@example\.com>$/);
    expect(headers.get("message-id")).toBe("<hooklatch.7.1795293000250@example.com>");
    expect(headers.get("auto-submitted")).toBe("auto-generated");
    expect(headers.get("content-type")).toBe("text/plain; charset=utf-8");
    expect(new Date(headers.get("date") ?? "").toISOString()).toBe("2026-11-21T20:30:00.000Z");
    expect(textOf(mail)).toContain(TIP);
    expect(words(textOf(mail))).toMatchSnapshot();
  });

  test("has the same id and date in a retry, so that a mail server can drop the second one", async () => {
    await using server = await serveMail();
    const settings = settingsFor(server);
    for (const later of [0, 60_000]) {
      const channel = createMailChannel(settings, null, LONG_TIMEOUT);
      const now = new Date(NOW.getTime() + later);
      expect(await channel.send(notificationOf("failed"), deploymentOf(), now)).toEqual({ kind: "taken" });
    }
    const [first, second] = server.received.map(headersOf);
    for (const name of ["message-id", "date"]) expect(second?.get(name)).toBe(first?.get(name) ?? "");
  });

  test.each([
    ["a line break", "Fix\r\nBcc: evil@example.com\r\n\r\nHello"],
    ["a bare CR", "Fix\rBcc: evil@example.com"],
    ["line separators", "Fix\u2028Bcc: evil@example.com\u0085X: y"],
    ["an encoded word", "=?utf-8?Q?Fix=0d=0aBcc:_evil@example.com?="],
    ["the end of a message", "Fix\r\n.\r\nMAIL FROM:<evil@example.com>\r\n"],
    ["a direction override", "Fix \u202e moc.elpmaxe"],
    ["two thousand letters", "ä".repeat(2000)],
  ])("cannot get a header, a recipient or a line from a commit with %s", async (_, text) => {
    await using server = await serveMail();
    const deployment = deploymentOf({
      subject: text,
      author: text,
      branch: text,
      reason: text,
      code: "step_failed",
    });
    expect(await send(settingsFor(server), deployment)).toEqual({ kind: "taken" });
    expect(server.received).toHaveLength(1);
    const [mail] = server.received;
    if (mail === undefined) throw new Error("nothing was received");
    expect(mail.to).toEqual(["ops@example.com"]);
    expect([...headersOf(mail).keys()].toSorted()).toEqual([
      "auto-submitted",
      "content-transfer-encoding",
      "content-type",
      "date",
      "from",
      "message-id",
      "mime-version",
      "subject",
      "to",
    ]);
    const lines = textOf(mail).split("\n");
    expect(lines.filter((line) => /^(?:Bcc|X|\.$|MAIL)/.test(line))).toEqual([]);
    expect(lines.filter((line) => /^(?:Commit|Author|Branch|Reason):/.test(line))).toHaveLength(4);
    expect(textOf(mail)).not.toMatch(/[\u202e\u2028\u0085\r]/);
  });
});

describe("the login", () => {
  test("is sent where it is set", async () => {
    await using server = await serveMail();
    expect(await send(settingsFor(server, { login: login() }))).toEqual({ kind: "taken" });
    expect(server.received).toMatchObject([{ user: "ada" }]);
  });

  test("that is wrong ends the attempts, and the reason does not repeat it", async () => {
    await using server = await serveMail();
    const outcome = await send(settingsFor(server, { login: login("a wrong password") }));
    expect(outcome).toEqual({ kind: "refused", reason: expect.stringContaining("535") });
    expect(JSON.stringify(outcome)).not.toContain("a wrong password");
    expect(reasonOf(outcome)).toMatchSnapshot();
    expect(server.received).toEqual([]);
  });

  test("is required where it is set: a server that offers none gets no message", async () => {
    await using server = await serveMail({ disabledCommands: ["AUTH", "STARTTLS"] });
    expect(await send(settingsFor(server, { login: login() }))).toMatchObject({ kind: "refused" });
    expect(server.received).toEqual([]);
  });
});

describe("TLS", () => {
  test.each(["starttls", "implicit"] as const)(
    "with %s sends nothing to a server with a certificate that cannot be verified",
    async (tls) => {
      const certificate = makeCertificate(directory, `unknown-${tls}`);
      const passwords: string[] = [];
      await using server = await serveMail(
        {
          secure: tls === "implicit",
          onAuth({ password }, _session, done) {
            passwords.push(password ?? "");
            done(null, { user: "ada" });
          },
        },
        certificate,
      );
      const outcome = await send(settingsFor(server, { tls, host: "localhost", login: login() }));
      expect(outcome).toMatchObject({ kind: "failed" });
      expect(reasonOf(outcome)).toMatchSnapshot();
      expect([server.received, passwords]).toEqual([[], []]);
    },
  );

  test("that a server does not offer is not replaced by a connection in clear", async () => {
    await using server = await serveMail();
    const outcome = await send(settingsFor(server, { tls: "starttls", login: login() }));
    expect(outcome.kind).not.toBe("taken");
    expect(reasonOf(outcome)).toMatchSnapshot();
    expect(server.received).toEqual([]);
  });
});

describe("a server that", () => {
  test.each([
    ["rejects the recipient for good", 550, "refused"],
    ["rejects the recipient for now", 451, "failed"],
  ] as const)("%s", async (_, responseCode, kind) => {
    await using server = await serveMail({
      onRcptTo: (_address, _session, done) =>
        done(Object.assign(new Error("5.1.1 no\u001b[31m such user"), { responseCode })),
    });
    const outcome = await send(settingsFor(server));
    expect(outcome).toEqual({ kind, reason: expect.stringContaining(`127.0.0.1`) });
    expect(reasonOf(outcome)).not.toContain("\u001b");
    expect(reasonOf(outcome)).toMatchSnapshot();
  });

  test("rejects one of two recipients gets no second attempt, which would reach the other twice", async () => {
    await using server = await serveMail({
      onRcptTo: ({ address }, _session, done) =>
        done(address === "gone@example.com" ? Object.assign(new Error("gone"), { responseCode: 550 }) : null),
    });
    const to = ["ops", "gone"].map((name) => ({ name: "", address: `${name}@example.com` }));
    const outcome = await send(settingsFor(server, { to }));
    expect(outcome).toEqual({ kind: "refused", reason: expect.stringContaining("gone@example.com") });
    expect(server.received).toMatchObject([{ to: ["ops@example.com"] }]);
  });

  test("does not run may be tried again", async () => {
    const outcome = await send(settingsFor({ port: freePort() }));
    expect(outcome).toMatchObject({ kind: "failed" });
    expect(reasonOf(outcome)).toContain("ECONNREFUSED");
  });

  test("does not answer is given up in time, and when the program ends", async () => {
    const silent = createServer();
    const port = await listen(silent);
    const limits = { ...LONG_TIMEOUT, timeout: 200 };
    expect(await send(settingsFor({ port }), deploymentOf(), limits)).toEqual({
      kind: "failed",
      reason: expect.stringMatching(/0\.2 s$/),
    });
    const ending = new AbortController();
    const pending = send(settingsFor({ port }), deploymentOf(), { timeout: 60_000, signal: ending.signal });
    setTimeout(() => ending.abort(), 50);
    expect(await pending).toEqual({ kind: "failed", reason: expect.stringContaining("hooklatch stopped") });
    silent.close();
  });
});

test("the server is tried without a message", async () => {
  await using server = await serveMail();
  expect(await tryMailServer(settingsFor(server, { login: login() }), 5000)).toEqual({ kind: "taken" });
  expect(await tryMailServer(settingsFor(server, { login: login("wrong") }), 5000)).toMatchObject({
    kind: "refused",
  });
  expect(await tryMailServer(settingsFor({ port: freePort() }), 5000)).toMatchObject({ kind: "failed" });
  expect(server.received).toEqual([]);
});

async function listen(server: Server): Promise<number> {
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("the server has no port");
  return address.port;
}
