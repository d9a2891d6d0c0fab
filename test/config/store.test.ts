import { describe, expect, test } from "bun:test";
import { hostname } from "node:os";
import { configOf, expectFindings, makeHome } from "./home.ts";

const home = makeHome();
const URL = "postgres://hooklatch:database-password@db.internal/hooklatch";
const SECRETS = {
  HOOKLATCH_ADMIN_TOKEN: "0123456789abcdef0123",
  GITHUB_WEBHOOK_SECRET: "0123456789abcdef4567",
  WEBHOOK_VERIFY_TOKEN: "0123456789abcdef89ab",
};

describe("[store] url", () => {
  test("is a secret, and needs a name only where the system's is not unique", () => {
    home.write("hooklatch.toml", '[store]\nurl = "env:DATABASE_URL"');
    const config = configOf(home.load({ env: { ...SECRETS, DATABASE_URL: URL } }));
    expect(config.store.postgres?.url.reveal()).toBe(URL);
    expect(config.store.postgres).toMatchObject({ host: hostname(), patience: 600_000 });
    expect(JSON.stringify(config)).not.toContain("database-password");
  });

  test("lets no secret be generated, because each host would have another one", () => {
    home.write("hooklatch.toml", '[store]\nurl = "env:DATABASE_URL"');
    expectFindings(home.load({ env: { DATABASE_URL: URL } }), [
      ["hooklatch.toml: store.url", "admin token"],
      ["hooklatch.toml: store.url", "github"],
      ["hooklatch.toml: store.url", "webhook"],
    ]);
  });

  test.each(["mysql://db/x", "postgres://u:database-password@db.internal/x?sslmode=prefer", "env:MISSING"])(
    "that cannot be used (%s) is a fault that does not repeat it",
    (url) => {
      home.write("hooklatch.toml", `[store]\nurl = "${url}"`);
      const loaded = home.load({ env: SECRETS });
      expectFindings(loaded, [["hooklatch.toml: store.url", ""]]);
      expect(JSON.stringify(loaded)).not.toContain("database-password");
    },
  );

  test("is needed by the other settings of a fleet", () => {
    home.write("hooklatch.toml", '[store]\nhost = "web-1"\nrollout_patience = "1m"');
    expectFindings(home.load(), [
      ["hooklatch.toml: store.host", "url"],
      ["hooklatch.toml: store.rollout_patience", "url"],
    ]);
  });

  test("warns when the connection is not encrypted, and when the password is in the file", () => {
    home.write("hooklatch.toml", `[store]\nurl = "${URL}?sslmode=disable"`);
    expectFindings(home.load({ env: SECRETS }), [
      ["hooklatch.toml: store.url", "file:PATH"],
      ["hooklatch.toml: store.url", "encrypted"],
    ]);
  });
});
