import type { ComponentChildren } from "preact";
import { formatExact, formatRelative, formatTook, printable, shortCommit } from "../format.ts";
import { announce, now } from "../live.ts";
import { Icon } from "./icons.tsx";

/** Untrusted text. Its direction does not change that of the text around it. */
export function Text({ children }: { readonly children: string }) {
  return <bdi>{printable(children)}</bdi>;
}

/** A relative time with the exact one on hover. */
export function Time({ at }: { readonly at: string }) {
  const time = Date.parse(at);
  return (
    <time dateTime={at} title={formatExact(time)}>
      {formatRelative(time, now.value)}
    </time>
  );
}

/** How long a deployment took, or takes. */
export function Took(props: { readonly started_at: string | null; readonly ended_at: string | null }) {
  const took = formatTook(props, now.value);
  return took === null ? null : <span class="number">{took}</span>;
}

/** A link to a page outside; only http and https. */
export function Outside({ href, children }: { readonly href: string; readonly children: ComponentChildren }) {
  if (!/^https?:\/\//i.test(href)) return <span>{children}</span>;
  return (
    <a href={href} target="_blank" rel="noopener noreferrer">
      {children}
    </a>
  );
}

/** A commit by its first digits, linked with its page at the forge. */
export function Commit({ commit, url }: { readonly commit: string | null; readonly url: string | null }) {
  if (commit === null) return null;
  const digits = (
    <code class="commit" title={printable(commit)}>
      {shortCommit(commit)}
    </code>
  );
  return url === null ? digits : <Outside href={url}>{digits}</Outside>;
}

/** Puts a text on the clipboard, which only a secure origin may. */
export async function copy(text: string, what: string): Promise<void> {
  try {
    await navigator.clipboard.writeText(text);
    announce(`${what} copied.`);
  } catch {
    announce(`The browser does not allow copying here. Select the text instead.`, true);
  }
}

/** A text in one line with a button that copies it. */
export function Copyable({ text, what }: { readonly text: string; readonly what: string }) {
  return (
    <span class="copyable">
      <code>{printable(text)}</code>
      <button type="button" class="icon-button" aria-label={`Copy ${what}`} onClick={() => copy(text, what)}>
        <Icon name="copy" />
      </button>
    </span>
  );
}

/** The rows of a list of facts. Null values are left out. */
export function Facts({
  rows,
}: {
  readonly rows: readonly (readonly [name: string, value: ComponentChildren])[];
}) {
  return (
    <dl class="facts">
      {rows
        .filter(([, value]) => value !== null)
        .map(([name, value]) => (
          <div key={name}>
            <dt>{name}</dt>
            <dd>{value}</dd>
          </div>
        ))}
    </dl>
  );
}

/** What a page shows in place of an empty list, and what to do next. */
export function Empty({
  title,
  children,
}: {
  readonly title: string;
  readonly children?: ComponentChildren;
}) {
  return (
    <div class="empty">
      <p class="empty-title">{title}</p>
      {children}
    </div>
  );
}
