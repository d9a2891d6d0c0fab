import type { Layout } from "../../domain/layout.ts";
import { releases } from "./releases.ts";
import { worktree } from "./worktree.ts";

/** Every layout, by its name in the configuration. */
export const layouts = { releases, worktree } satisfies Record<string, Layout>;
