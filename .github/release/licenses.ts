import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { ROOT } from "./compile.ts";
import { readLockFile } from "./lock-file.ts";

/** The directory of an installed package. */
export function findPackage(path: string): string {
  const names = path.match(/(@[^/]+\/)?[^/]+/g) ?? [];
  return join(ROOT, ...names.flatMap((name) => ["node_modules", name]));
}

/** The license that an installed package names: an SPDX identifier or expression. */
export function readLicense(path: string): string {
  const { license } = JSON.parse(readFileSync(join(findPackage(path), "package.json"), "utf8"));
  if (typeof license !== "string") throw new Error(`${path} names no license`);
  return license;
}

const INTRODUCTION = `The executable of hooklatch consists of hooklatch, of the packages below, and of Bun, whose license and parts
https://bun.com/docs/project/licensing lists. The sources of hooklatch contain no license of their own.
`;

/** The licenses of all packages in the executable, with their texts as the packages have them. */
export function describeLicenses(): string {
  const sections = readLockFile(ROOT).production.map(({ path, name, version }) => {
    const directory = findPackage(path);
    const files = readdirSync(directory).filter((file) => /^(licen[cs]e|copying|notice)/i.test(file));
    const texts = files.sort().map((file) => readFileSync(join(directory, file), "utf8").trim());
    return [`${"=".repeat(80)}\n${name} ${version}: ${readLicense(path)}`, ...texts].join("\n\n");
  });
  return `${[INTRODUCTION, ...sections].join("\n")}\n`;
}
