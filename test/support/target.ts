import type { Target } from "../../src/domain/target.ts";

/** A target with the default settings of the configuration. */
export function targetOf(name: string, settings: Partial<Target> = {}): Target {
  return {
    name,
    source: "github",
    repository: {
      fullName: "octocat/blog",
      ref: { kind: "branch", name: "main" },
      cloneUrl: "/nowhere/blog.git",
      depth: null,
    },
    events: null,
    waitForCi: null,
    when: null,
    payloadEnv: {},
    directory: `/nowhere/${name}`,
    layout: "releases",
    run: [],
    after: [],
    env: {},
    searchPath: [],
    passEnv: [],
    shared: [],
    keepReleases: 5,
    timeout: 600_000,
    health: null,
    queue: "latest",
    catchUp: true,
    access: { sshKey: null, knownHosts: null, token: null },
    paths: [],
    ignorePaths: [],
    allowedSigners: null,
    commitStatus: null,
    ...settings,
  };
}
