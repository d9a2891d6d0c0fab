import { describe, expect, test } from "bun:test";
import { join } from "node:path";
import { Version } from "@cyclonedx/cyclonedx-library/Spec";
import { JsonStrictValidator } from "@cyclonedx/cyclonedx-library/Validation";
import { ENTRIES, ROOT } from "../../.github/release/compile.ts";
import { PLATFORMS } from "../../.github/release/platforms.ts";
import { describeComponents } from "../../.github/release/sbom.ts";
import { engines } from "../../package.json";

const TIME = new Date("2026-11-29T12:00:00Z");
const text = describeComponents("1.2.3", TIME);
const bom: {
  readonly metadata: { readonly timestamp: string; readonly component: { readonly version: string } };
  readonly components: readonly {
    readonly group?: string;
    readonly name: string;
    readonly version: string;
    readonly type: string;
    readonly purl: string;
    readonly hashes: readonly unknown[];
    readonly licenses?: readonly unknown[];
  }[];
} = JSON.parse(text);
const nameOf = ({ group, name }: { readonly group?: string; readonly name: string }) =>
  group === undefined ? name : `${group}/${name}`;

describe("the list of components", () => {
  test("is valid CycloneDX 1.6", async () => {
    expect(await new JsonStrictValidator(Version.v1dot6).validate(text)).toBeNull();
    const broken = text.replace('"type": "library"', '"type": "shelf"');
    expect(await new JsonStrictValidator(Version.v1dot6).validate(broken)).not.toBeNull();
  });

  test("depends on the sources and the given time only", () => {
    expect(describeComponents("1.2.3", TIME)).toBe(text);
    expect(bom.metadata).toMatchObject({
      timestamp: TIME.toISOString(),
      component: { name: "hooklatch", version: "1.2.3" },
    });
  });

  test("names every package that the executable contains", async () => {
    const { metafile } = await Bun.build({
      entrypoints: [...ENTRIES, "src/web/page/main.tsx"].map((entry) => join(ROOT, entry)),
      target: "bun",
      metafile: true,
    });
    const packages = Object.keys(metafile?.inputs ?? {}).flatMap(
      (path) => /.*node_modules\/((?:@[^/]+\/)?[^/]+)/.exec(path)?.[1] ?? [],
    );
    const listed = new Set(bom.components.map(nameOf));
    expect(new Set(packages).size).toBeGreaterThan(50);
    expect(packages.filter((name) => !listed.has(name))).toEqual([]);
  });

  test("has the runtime of each platform, and no package for development", () => {
    const runtimes = bom.components.filter(({ type }) => type === "platform");
    expect(runtimes.map(nameOf).sort()).toEqual(PLATFORMS.map(({ runtime }) => runtime).sort());
    expect(new Set(runtimes.map(({ version }) => version))).toEqual(new Set([engines.bun]));
    expect(bom.components.map(nameOf)).not.toContain("typescript");
  });

  test("has a digest of each package, and the license of each library", () => {
    for (const each of bom.components) {
      expect(each.hashes).toHaveLength(1);
      if (each.type === "library") expect(each.licenses).toHaveLength(1);
    }
  });
});
