/** A secret as the configuration writes it: a text of its own, or a reference such as `env:NAME`. */
export type SecretText =
  | { readonly kind: "literal"; readonly text: string }
  | { readonly kind: "reference"; readonly text: string }
  /** Holds a template that has no reference, or text around it. */
  | { readonly kind: "template"; readonly template: string };

/** The Go templates of a hooks file (`webhook -template`), for which placeholders stand in its texts. */
export interface Templates {
  /** The first template in a text; null where there is none. */
  find(text: string): string | null;
  /** Reads a text as a secret. */
  toSecret(text: string): SecretText;
}

/** A template, or the private-use characters around its number. */
const TEMPLATE = /\{\{[^{}\n]*\}\}/;
const PLACEHOLDER = /\uE000(\d{1,6})\uE001/;

/** The functions of https://github.com/adnanh/webhook/blob/master/docs/Templates.md, and the references like them. */
const REFERENCES: Readonly<Record<string, string>> = { getenv: "env", credential: "credential", cat: "file" };

const CALL =
  /^\{\{-?\s*(getenv|credential|cat)\s+(?:"([^"\\]+)"|`([^`]+)`|\\"([^"\\]+)\\")\s*(?:\|\s*js\s*)?-?\}\}$/;

/** Replaces the templates in a file, whose quotes would break its syntax, by placeholders. */
export function hideTemplates(file: string): { readonly text: string; readonly templates: Templates } {
  const found: string[] = [];
  const text = file.replaceAll(
    new RegExp(TEMPLATE, "g"),
    (template) => `\uE000${found.push(template) - 1}\uE001`,
  );
  const locate = (text: string) => {
    const [shown = "", number] = PLACEHOLDER.exec(text) ?? TEMPLATE.exec(text) ?? [];
    return { shown, template: number === undefined ? shown || null : (found[Number(number)] ?? null) };
  };
  const templates: Templates = {
    find: (text) => locate(text).template,
    toSecret(text) {
      const { shown, template } = locate(text);
      if (template === null) return { kind: "literal", text };
      const [, name = "", ...quoted] = CALL.exec(template) ?? [];
      const kind = REFERENCES[name];
      if (kind === undefined || shown !== text) return { kind: "template", template };
      return { kind: "reference", text: `${kind}:${quoted.find((each) => each !== undefined) ?? ""}` };
    },
  };
  return { text, templates };
}
