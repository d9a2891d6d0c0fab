import { ComponentType, HashAlgorithm } from "@cyclonedx/cyclonedx-library/Enums";
import { Bom, Component, LicenseExpression, SpdxLicense } from "@cyclonedx/cyclonedx-library/Models";
import { JSON as Json, JsonSerializer } from "@cyclonedx/cyclonedx-library/Serialize";
import { isSupportedSpdxId } from "@cyclonedx/cyclonedx-library/SPDX";
import { Spec1dot6 } from "@cyclonedx/cyclonedx-library/Spec";
import { PackageURL } from "packageurl-js";
import { ROOT } from "./compile.ts";
import { readLicense } from "./licenses.ts";
import { type LockedPackage, readLockFile } from "./lock-file.ts";
import { PLATFORMS } from "./platforms.ts";

/** Writes the list of what the executables consist of: CycloneDX 1.6 as JSON. */
export function describeComponents(version: string, time: Date): string {
  const locked = readLockFile(ROOT);
  const bom = new Bom();
  const main = new Component(ComponentType.Application, "hooklatch", { version, bomRef: "hooklatch" });
  bom.metadata.timestamp = time;
  bom.metadata.component = main;

  const libraries = new Map<string, Component>();
  for (const each of locked.production) {
    const library = createComponent(each, ComponentType.Library);
    const license = readLicense(each.path);
    library.licenses.add(
      isSupportedSpdxId(license) ? new SpdxLicense(license) : new LicenseExpression(license),
    );
    libraries.set(each.path, library);
    bom.components.add(library);
  }
  for (const { path, dependencies } of locked.production) {
    for (const needed of dependencies) addDependency(libraries.get(path), libraries.get(needed));
  }
  for (const path of locked.direct) addDependency(main, libraries.get(path));

  for (const { runtime, name } of PLATFORMS) {
    const bun = createComponent(locked.get(runtime), ComponentType.Platform);
    bun.description = `The JavaScript runtime in the executable for ${name}. It contains JavaScriptCore, SQLite, BoringSSL and further libraries.`;
    bom.components.add(bun);
    addDependency(main, bun);
  }
  const serializer = new JsonSerializer(new Json.Normalize.Factory(Spec1dot6));
  return `${serializer.serialize(bom, { sortLists: true, space: 2 })}\n`;
}

function createComponent({ name, version, integrity, path }: LockedPackage, type: ComponentType): Component {
  const [last = "", scope] = name.split("/").reverse();
  const component = new Component(type, last, {
    ...(scope === undefined ? {} : { group: scope }),
    version,
    bomRef: `${path}@${version}`,
    purl: new PackageURL("npm", scope, last, version, undefined, undefined).toString(),
  });
  const digest = Buffer.from(integrity.replace(/^sha512-/, ""), "base64").toString("hex");
  component.hashes.set(HashAlgorithm["SHA-512"], digest);
  return component;
}

function addDependency(of: Component | undefined, on: Component | undefined): void {
  if (of === undefined || on === undefined) throw new Error("the lock file has no such package");
  of.dependencies.add(on.bomRef);
}
