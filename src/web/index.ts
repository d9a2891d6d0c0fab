import { bundlePage } from "./bundle.ts" with { type: "macro" };

/**
 * The files of the dashboard: an HTML document, its script, style sheet and icon, each compressed with gzip and encoded as
 * base64. The build runs the macro and puts its result here, so that the executable needs no bundler and no file.
 */
export const page = bundlePage();
