import type { LineCounter } from "yaml";
import { AppError, errorMessage } from "../lib/errors.ts";
import { hideTemplates, type Templates } from "./template.ts";

/** The hooks of one file of adnanh/webhook, not checked yet. */
export interface HooksFile {
  readonly hooks: readonly unknown[];
  readonly templates: Templates;
}

/** Types of YAML 1.1 that adnanh/webhook reads as plain text, besides numbers in base 60. */
const TEXT_TYPES = ["timestamp", "binary", "omap", "pairs", "set"].map((name) => `tag:yaml.org,2002:${name}`);

/**
 * Parses a hooks file. adnanh/webhook reads JSON as YAML 1.1, which allows commas at the end of lists and `yes` for
 * true. Throws an {@link AppError} `configuration` when the text is neither, or not a list.
 *
 * @param name for messages.
 */
export async function parseHooksFile(text: string, name: string): Promise<HooksFile> {
  const plain = text.replace(/^\uFEFF/, "");
  // The quotation marks of templates break the syntax. Only then are they replaced.
  const { text: replaced, templates } = hideTemplates(plain);
  const document = parseJson(plain) ?? parseJson(replaced) ?? { value: await parseYaml(replaced, name) };
  if (!Array.isArray(document.value)) {
    throw new AppError("configuration", `${name}: expected a list of hooks, as adnanh/webhook reads it`);
  }
  return { hooks: document.value, templates };
}

function parseJson(text: string): { readonly value: unknown } | null {
  try {
    return { value: JSON.parse(text) };
  } catch {
    return null; // YAML, perhaps.
  }
}

async function parseYaml(text: string, name: string): Promise<unknown> {
  const { LineCounter, parseDocument } = await import("yaml");
  const lineCounter = new LineCounter();
  try {
    const document = parseDocument(text, {
      version: "1.1",
      merge: true,
      uniqueKeys: false,
      prettyErrors: false,
      logLevel: "error",
      lineCounter,
      customTags: (tags) =>
        tags.filter(
          (type) => typeof type === "string" || !(type.format === "TIME" || TEXT_TYPES.includes(type.tag)),
        ),
    });
    const [error] = document.errors;
    if (error !== undefined) throw new AppError("configuration", describe(error, name, lineCounter));
    return document.toJS({ maxAliasCount: 100 });
  } catch (error) {
    if (error instanceof AppError) throw error;
    // Too many aliases, or nested too deeply.
    throw new AppError("configuration", `${name}: cannot be read: ${errorMessage(error)}`, error);
  }
}

/** Without the excerpt that the library can add, which may show a secret. */
function describe(
  { message, pos: [offset] }: { readonly message: string; readonly pos: readonly [number, number] },
  name: string,
  lines: LineCounter,
): string {
  const { line, col } = lines.linePos(offset);
  const [problem = ""] = message.split("\n");
  return `${name}, line ${line}, column ${col}: neither JSON nor YAML: ${problem}`;
}
