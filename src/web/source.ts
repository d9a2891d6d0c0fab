import { bundlePage } from "./bundle.ts";

/** The files of the dashboard like those of `index.ts`, for Deno, which has no macros and runs the sources as they are. */
export const page = bundlePage();
