import { useSignal } from "@preact/signals";
import { useEffect, useLayoutEffect, useMemo, useRef } from "preact/hooks";
import { Icon, IconText } from "../parts/icons.tsx";
import { copy } from "../parts/text.tsx";
import { breaksOf } from "./columns.ts";
import { findMatches } from "./find.ts";
import { Rows } from "./rows-view.tsx";
import { countText, describeState, download } from "./tools.ts";
import { useLog } from "./use-log.ts";

/** Pixels of a row, as in the style sheet. */
const ROW = 20;

/** Rows that are rendered above and below the visible ones. */
const MARGIN = 12;

const WRAP_KEY = "hooklatch-wrap";

/** A request to scroll to the first line that begins with a text, after so many of the same. */
export interface Jump {
  readonly text: string;
  readonly skip: number;
}

/**
 * The output of a deployment. Only the visible rows are in the document, so that a long log stays fast. It scrolls along
 * with new lines only while it is scrolled to its end.
 */
export function LogViewer({ id, jump }: { readonly id: number; readonly jump: Jump | null }) {
  const { buffer, version, state } = useLog(id);
  const isWrapped = useSignal(localStorage.getItem(WRAP_KEY) === "1");
  const query = useSignal("");
  const current = useSignal(0);
  const view = useSignal({ top: 0, height: 600, columns: 100 });
  const isFollowing = useSignal(true);
  const scroller = useRef<HTMLElement>(null);
  const ruler = useRef<HTMLSpanElement>(null);
  const field = useRef<HTMLInputElement>(null);

  const digits = String(Math.max(100, buffer.raw.length)).length;
  buffer.wrapAt(isWrapped.value ? Math.max(20, view.value.columns - digits - 4) : null);
  const { rows } = buffer.index;
  const matches = useMemo(() => findMatches(buffer.plain, query.value), [buffer, version, query.value]);
  const chosen = matches[current.value] ?? null;

  useEffect(() => {
    const element = scroller.current;
    if (element === null) return;
    const observer = new ResizeObserver(() => {
      const character = (ruler.current?.getBoundingClientRect().width ?? 800) / 100;
      const columns = Math.floor((element.clientWidth - 24) / character);
      view.value = { ...view.value, height: element.clientHeight, columns };
    });
    observer.observe(element);
    return () => observer.disconnect();
  }, []);

  useLayoutEffect(() => {
    if (isFollowing.value && scroller.current !== null) scroller.current.scrollTop = rows * ROW;
  }, [rows, isFollowing.value, view.value.height]);

  useEffect(() => {
    const onKey = (event: KeyboardEvent) => {
      const isTyping = event.target instanceof Element && event.target.matches("input, textarea, select");
      if (event.key !== "/" || isTyping || document.querySelector("dialog[open]") !== null) return;
      event.preventDefault();
      field.current?.focus();
    };
    document.addEventListener("keydown", onKey);
    return () => document.removeEventListener("keydown", onKey);
  }, []);

  useEffect(() => {
    if (jump === null) return;
    let left = jump.skip;
    const line = buffer.plain.findIndex((text) => text === jump.text && left-- === 0);
    if (line >= 0) scrollToRow(buffer.index.rowOf(line), 0);
  }, [jump]);

  useEffect(() => {
    if (chosen === null) return;
    const { index, plain } = buffer;
    const columns = isWrapped.value ? Math.max(20, view.value.columns - digits - 4) : null;
    const breaks = columns === null ? [0] : breaksOf(plain[chosen.line] ?? "", columns);
    const part = breaks.findLastIndex((offset) => offset <= chosen.from);
    scrollToRow(index.rowOf(chosen.line) + part, view.value.height / 2 - ROW);
  }, [chosen?.line, chosen?.from, query.value]);

  function scrollToRow(row: number, above: number): void {
    isFollowing.value = false;
    scroller.current?.scrollTo({ top: Math.max(0, row * ROW - above) });
  }

  function onScroll(): void {
    const element = scroller.current;
    if (element === null) return;
    const { scrollTop, scrollHeight, clientHeight } = element;
    view.value = { ...view.value, top: scrollTop };
    isFollowing.value = scrollHeight - scrollTop - clientHeight < ROW * 1.5;
  }

  function step(by: number): void {
    if (matches.length > 0) current.value = (current.value + by + matches.length) % matches.length;
  }

  const first = Math.max(0, Math.floor(view.value.top / ROW) - MARGIN);
  const last = Math.min(rows, Math.ceil((view.value.top + view.value.height) / ROW) + MARGIN);
  return (
    <div class="log">
      <div class="log-bar">
        <search>
          <form
            class="log-search"
            onSubmit={(event) => {
              event.preventDefault();
              step(1);
            }}
          >
            <Icon name="search" />
            <input
              ref={field}
              type="search"
              aria-label="Search the output"
              placeholder="Search"
              title="Press / to search"
              value={query.value}
              onInput={(event) => {
                query.value = event.currentTarget.value;
                current.value = 0;
              }}
              onKeyDown={(event) => {
                if (event.key !== "Enter" || !event.shiftKey) return;
                event.preventDefault();
                step(-1);
              }}
            />
            <span class="log-count" role="status">
              {query.value !== "" && countText(matches, current.value)}
            </span>
            <button
              type="button"
              aria-label="Previous match"
              disabled={matches.length === 0}
              onClick={() => step(-1)}
            >
              <Icon name="up" />
            </button>
            <button type="submit" aria-label="Next match" disabled={matches.length === 0}>
              <Icon name="down" />
            </button>
          </form>
        </search>
        <div class="log-tools">
          <span class="log-lines">{describeState(state, buffer.raw.length)}</span>
          <button
            type="button"
            aria-pressed={isWrapped.value}
            onClick={() => {
              isWrapped.value = !isWrapped.value;
              localStorage.setItem(WRAP_KEY, isWrapped.value ? "1" : "0");
            }}
          >
            <IconText icon="wrap">Wrap</IconText>
          </button>
          <button type="button" onClick={() => void copy(buffer.plain.join("\n"), "Output")}>
            <IconText icon="copy">Copy</IconText>
          </button>
          <button type="button" onClick={() => void download(id)}>
            <IconText icon="down">Download</IconText>
          </button>
        </div>
      </div>
      <section
        ref={scroller}
        class="log-scroll"
        aria-label="Output"
        tabIndex={0}
        onScroll={onScroll}
        style={{ height: `${Math.max(8, Math.min(rows + 1, 40)) * ROW}px` }}
      >
        <span ref={ruler} class="log-ruler" aria-hidden="true">
          {"0".repeat(100)}
        </span>
        {rows === 0 && (
          <p class="log-empty">{state === "ended" ? "It printed nothing." : "Nothing is printed yet."}</p>
        )}
        <div
          class="log-space"
          style={{
            height: `${rows * ROW}px`,
            minWidth: isWrapped.value ? "0" : `${buffer.columns + digits + 4}ch`,
          }}
        >
          <div class="log-rows" style={{ transform: `translateY(${first * ROW}px)` }}>
            <Rows
              buffer={buffer}
              first={first}
              last={last}
              digits={digits}
              width={isWrapped.value ? Math.max(20, view.value.columns - digits - 4) : null}
              matches={matches}
              chosen={chosen}
            />
          </div>
        </div>
      </section>
      {!isFollowing.value && state !== "ended" && (
        <button
          type="button"
          class="log-follow"
          onClick={() => {
            isFollowing.value = true;
          }}
        >
          <IconText icon="down">Follow the output</IconText>
        </button>
      )}
    </div>
  );
}
