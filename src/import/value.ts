import { isCredentialHeader } from "../config/source.ts";
import { escapeInvisible } from "../lib/text.ts";
import type { Parameter } from "./hook.ts";

/** A referenced value (https://github.com/adnanh/webhook/blob/master/docs/Referencing-Request-Values.md). */
export type Value =
  | { readonly kind: "literal"; readonly text: string }
  | {
      readonly kind: "expression";
      /** CEL. Evaluates to `missing` where the request lacks the value. */
      readonly cel: string;
      /** CEL that is true where the request has the value. */
      readonly isPresent: string;
      /** Whether it is always a text. */
      readonly isText: boolean;
      /** The header that must be stored; null where none is needed. */
      readonly header: string | null;
    }
  /** The whole body, which is in the payload file. */
  | { readonly kind: "body" }
  /** Completes "…, because". */
  | { readonly kind: "unavailable"; readonly reason: string };

/** What decoding the body does to the names of its fields. */
export interface BodyReading {
  /** The field of a form whose JSON is the payload, because the provider decodes it; null where there is none. */
  readonly formField: string | null;
  /** The fields whose text adnanh/webhook decodes as JSON (`parse-parameters-as-json`). */
  readonly decodedFields: readonly string[];
}

/** Finds where a parameter's value is. */
export function resolveParameter({ source = "", name = "" }: Parameter, body: BodyReading): Value {
  switch (source) {
    case "string":
      return { kind: "literal", text: name };
    case "payload":
      return resolveField(name, body);
    case "header":
      return resolveHeader(name);
    case "request":
      return resolveRequest(name);
    case "entire-payload":
    case "raw-request-body":
      return { kind: "body" };
    case "url":
    case "query":
    case "entire-query":
      return unavailable("query strings are never stored");
    case "entire-headers":
      return unavailable("only named headers are stored");
    default:
      return unavailable(source === "" ? "its source is missing" : "its source is unknown");
  }
}

function resolveField(name: string, { formField, decodedFields }: BodyReading): Value {
  if (formField !== null && name === formField) return { kind: "body" };
  const inForm = formField === null ? null : stripPrefix(name, `${formField}.`);
  if (inForm === null && decodedFields.some((field) => name.startsWith(`${field}.`))) {
    return unavailable("JSON in a field of a form or of JSON is not decoded");
  }
  return { kind: "expression", ...writePath(inForm ?? name), isText: false, header: null };
}

function stripPrefix(text: string, prefix: string): string | null {
  return text.startsWith(prefix) ? text.slice(prefix.length) : null;
}

function resolveHeader(written: string): Value {
  const name = written.toLowerCase();
  if (!/^[!#$%&'*+.^_`|~0-9a-z-]{1,100}$/.test(name)) return unavailable("it is not the name of a header");
  if (name === "host") return unavailable("adnanh/webhook does not see it");
  if (isCredentialHeader(name)) return unavailable("a header that may hold a credential is never stored");
  const key = writeText(name);
  return {
    kind: "expression",
    cel: `headers[${key}]`,
    isPresent: `${key} in headers`,
    isText: true,
    header: name,
  };
}

function resolveRequest(name: string): Value {
  switch (name.toLowerCase()) {
    case "method":
      return { kind: "literal", text: "POST" };
    case "remote-addr":
      return unavailable("rules do not see the address of the sender");
    default:
      return unavailable("no such value of a request exists");
  }
}

function unavailable(reason: string): Value {
  return { kind: "unavailable", reason };
}

/** https://github.com/google/cel-spec/blob/master/doc/langdef.md#syntax */
const RESERVED =
  /^(?:true|false|null|in|as|break|const|continue|else|for|function|if|import|let|loop|package|namespace|return|var|void|while)$/;

/**
 * Writes a path such as `commits.0.id` in CEL. A number is the index of a list. adnanh/webhook puts a body that is a list
 * into a field `root`.
 */
function writePath(name: string): { readonly cel: string; readonly isPresent: string } {
  const all = name.split(".");
  const isList = all[0] === "root" && (all.length === 1 || /^\d+$/.test(all[1] ?? ""));
  const parts = isList ? all.slice(1) : all;
  let cel = "payload";
  const isPresent: string[] = [];
  for (const part of parts) {
    if (/^\d{1,9}$/.test(part)) {
      isPresent.push(`size(${cel}) > ${Number(part)}`);
      cel += `[${Number(part)}]`;
    } else {
      isPresent.push(`${writeText(part)} in ${cel}`);
      cel += /^[A-Za-z_]\w*$/.test(part) && !RESERVED.test(part) ? `.${part}` : `[${writeText(part)}]`;
    }
  }
  return { cel, isPresent: isPresent.join(" && ") || "true" };
}

/** A string literal of CEL, which has all escapes of JSON. */
export function writeText(text: string): string {
  return escapeInvisible(JSON.stringify(text));
}
