import { useSignal } from "@preact/signals";
import { printable } from "../format.ts";

/** Members of an object or array that are shown at once. */
const AT_ONCE = 100;

/** Characters of a text that are shown at once. */
const MAX_TEXT = 400;

/** A JSON value as a tree that opens on demand. Only open parts are in the document. */
export function JsonTree({ value }: { readonly value: unknown }) {
  return (
    <ul class="tree">
      <Node name={null} value={value} isOpen />
    </ul>
  );
}

function Node({
  name,
  value,
  isOpen = false,
}: {
  readonly name: string | null;
  readonly value: unknown;
  readonly isOpen?: boolean;
}) {
  const open = useSignal(isOpen);
  const shown = useSignal(AT_ONCE);
  const label = name !== null && <span class="tree-key">{printable(name)}: </span>;
  if (typeof value !== "object" || value === null) {
    return (
      <li>
        {label}
        <Leaf value={value} />
      </li>
    );
  }
  const members = Object.entries(value);
  const summary = Array.isArray(value) ? `[ ${members.length} ]` : `{ ${members.length} }`;
  if (members.length === 0) {
    return (
      <li>
        {label}
        {Array.isArray(value) ? "[ ]" : "{ }"}
      </li>
    );
  }
  return (
    <li>
      <button
        type="button"
        class="tree-toggle"
        aria-expanded={open.value}
        onClick={() => {
          open.value = !open.value;
        }}
      >
        <span class="tree-arrow" aria-hidden="true" />
        {label}
        <span class="tree-summary">{summary}</span>
      </button>
      {open.value && (
        <ul>
          {members.slice(0, shown.value).map(([key, member]) => (
            <Node key={key} name={key} value={member} />
          ))}
          {members.length > shown.value && (
            <li>
              <button
                type="button"
                class="link-button"
                onClick={() => {
                  shown.value += AT_ONCE;
                }}
              >
                Show more of {members.length}
              </button>
            </li>
          )}
        </ul>
      )}
    </li>
  );
}

function Leaf({ value }: { readonly value: unknown }) {
  const isWhole = useSignal(false);
  if (typeof value !== "string") return <span class="tree-literal">{String(value)}</span>;
  const text = isWhole.value ? value : value.slice(0, MAX_TEXT);
  return (
    <span class="tree-text">
      "<bdi>{printable(text)}</bdi>"
      {text.length < value.length && (
        <button
          type="button"
          class="link-button"
          onClick={() => {
            isWhole.value = true;
          }}
        >
          show all {value.length} characters
        </button>
      )}
    </span>
  );
}
