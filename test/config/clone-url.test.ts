import { describe, expect, test } from "bun:test";
import { checkCloneUrl, transportOf } from "../../src/config/repository.ts";
import { configOf, makeHome } from "./home.ts";

describe("a clone address", () => {
  test.each([
    "https://github.com/octocat/blog.git",
    "http://127.0.0.1:3000/octocat/blog",
    "ssh://git@example.com:2222/octocat/blog.git",
    "git://example.com/blog.git",
    "file:///srv/git/blog.git",
    "git@github.com:octocat/blog.git",
    "example.com:blog.git",
    "/srv/git/blog.git",
  ])("may be %p and stays unchanged", (url) => {
    expect(checkCloneUrl(url, "/etc")).toEqual({ kind: "valid", url });
  });

  test("that is a relative path is resolved against the directory of the configuration file", () => {
    expect(checkCloneUrl("../blog.git", "/etc/hooklatch")).toEqual({ kind: "valid", url: "/etc/blog.git" });
  });

  test.each([
    "",
    "-x",
    "--upload-pack=touch /tmp/x",
    "ext::sh -c touch% /tmp/x",
    "EXT::sh",
    "fd::17",
    "https::https://example.com/",
    "helper://example.com/blog",
    "ssh://-oProxyCommand=x/blog",
    "ssh://git@-oProxyCommand=x/blog",
    "ssh://-x@example.com/blog",
    "git@-oProxyCommand=x:blog",
    "https:///blog",
    "https://example.com/\nblog",
    "/srv/\0blog",
  ])("cannot be %p", (url) => {
    expect(checkCloneUrl(url, "/etc").kind).toBe("invalid");
  });

  test.each([
    "https://octocat:hunter2@github.com/octocat/blog.git",
    "https://hunter2@github.com/octocat/blog.git",
    "https://a@hunter2:b@github.com/octocat/blog.git",
    "ssh://git:hunter2@example.com/blog.git",
    "git:hunter2@example.com:blog.git",
  ])("with a password or token is rejected without repeating it: %p", (url) => {
    const checked = checkCloneUrl(url, "/etc");
    expect(checked.kind).toBe("invalid");
    expect(JSON.stringify(checked)).not.toContain("hunter2");
  });

  test.each([
    ["https://github.com/octocat/blog.git", "https"],
    ["HTTP://127.0.0.1:3000/octocat/blog", "http"],
    ["ssh://git@example.com:2222/octocat/blog.git", "ssh"],
    ["git@github.com:octocat/blog.git", "ssh"],
    ["example.com:blog.git", "ssh"],
    ["git://example.com/blog.git", "git"],
    ["file:///srv/git/blog.git", "file"],
    ["/srv/git:hub/blog.git", "file"],
  ] as const)("%p uses the transport %s", (url, transport) => {
    expect(transportOf(url)).toBe(transport);
  });
});

describe("the page of a commit", () => {
  const home = makeHome();

  test.each([
    ["https://github.com/octocat/blog.git", "https://github.com/octocat/blog/commit/"],
    ["https://ghe.example.com:8443/octocat/blog.git", "https://ghe.example.com:8443/octocat/blog/commit/"],
    ["git@ghe.example.com:octocat/blog.git", "https://ghe.example.com/octocat/blog/commit/"],
    ["ssh://git@ghe.example.com:2222/octocat/blog.git", "https://ghe.example.com/octocat/blog/commit/"],
    ["/srv/git/blog.git", undefined],
    ["file:///srv/git/blog.git", undefined],
  ])("of a repository cloned from %s is below %p", (cloneUrl, page) => {
    home.write(
      "hooklatch.toml",
      `[[target]]\nname = "blog"\nrepository = "octocat/blog"\nbranch = "main"\ndirectory = "/srv/blog"\nclone_url = "${cloneUrl}"`,
    );
    expect(configOf(home.load()).targets[0]?.repository?.commitUrl).toBe(page);
  });
});
