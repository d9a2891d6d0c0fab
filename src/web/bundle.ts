import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync } from "node:zlib";

/** The files of the page: gzip as base64, which makes the executable grow the least. */
interface PageFiles {
  readonly html: string;
  readonly script: string;
  readonly style: string;
  readonly icon: string;
}

/**
 * Bundles the page for browsers. It is a macro: the bundler calls it and inlines the result. A macro must not use the
 * bundler's own API, which would wait for itself, so it starts another process. Throws with the bundler's messages.
 */
export function bundlePage(): PageFiles {
  const source = join(import.meta.dirname, "page");
  const isBun = process.versions.bun !== undefined;
  const bundler = isBun ? process.execPath : join(import.meta.dirname, "../../node_modules/.bin/bun");
  const output = mkdtempSync(join(tmpdir(), "hooklatch-page-"));
  try {
    const options = ["--target=browser", "--format=iife", "--production", `--outdir=${output}`];
    const { status, stderr, error } = spawnSync(bundler, ["build", join(source, "main.tsx"), ...options], {
      encoding: "utf8",
      env: { ...process.env, NODE_ENV: "production" },
    });
    if (status !== 0) throw new Error(`cannot bundle the dashboard: ${error ?? stderr}`);
    return {
      html: compress(join(source, "index.html")),
      script: compress(join(output, "main.js")),
      style: compress(join(output, "main.css")),
      icon: compress(join(source, "icon.svg")),
    };
  } finally {
    rmSync(output, { recursive: true });
  }
}

function compress(file: string): string {
  return gzipSync(readFileSync(file), { level: 9 }).toString("base64");
}
