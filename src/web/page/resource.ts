import { useSignal } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";
import { type EventKind, subscribe } from "./live.ts";
import { type Outcome, request } from "./request.ts";
import { addressOf, type Filter } from "./route.ts";

/** A value of the API that follows the events of the server. */
export interface Resource<Value> {
  /** Null until it is loaded. It stays while it is loaded again. */
  readonly value: Value | null;
  /** Why the last attempt failed; null after a success. */
  readonly failure: Exclude<Outcome<unknown>, { kind: "done" }> | null;
  reload(): void;
}

/** Milliseconds in which events are collected before a value is loaded again. */
const COLLECT = 150;

/** Loads a value, and again after each of the events, or every `interval` milliseconds. An empty path loads nothing. */
export function useResource<Value>(
  path: string,
  kinds: readonly EventKind[],
  interval: number | null = null,
): Resource<Value> {
  const value = useSignal<Value | null>(null);
  const failure = useSignal<Resource<Value>["failure"]>(null);
  const reload = useRef(() => {});
  useEffect(() => {
    value.value = null;
    failure.value = null;
    const updates = repeat(async () => {
      if (path === "") return;
      const outcome = await request<Value>("GET", path);
      if (updates.isClosed()) return;
      if (outcome.kind === "done") value.value = outcome.value;
      failure.value = outcome.kind === "done" ? null : outcome;
    });
    reload.current = updates.request;
    return followUpdates(updates, kinds, interval);
  }, [path]);
  return { value: value.value, failure: failure.value, reload: () => reload.current() };
}

/** Several values that are shown together, so that none moves another when it arrives. */
export function joinResources<Values extends readonly unknown[]>(
  ...resources: { readonly [At in keyof Values]: Resource<Values[At]> }
): Resource<Values> {
  const values = resources.map(({ value }) => value);
  return {
    value: values.includes(null) ? null : (values as unknown as Values),
    failure: resources.find(({ failure }) => failure !== null)?.failure ?? null,
    reload() {
      for (const { reload } of resources) reload();
    },
  };
}

/** A list of the API, newest first, of which further pages can be loaded. */
export interface PagedList<Item> extends Resource<readonly Item[]> {
  readonly hasMore: boolean;
  loadMore(): void;
}

interface ApiPage<Item> {
  readonly items: readonly Item[];
  readonly next: number | null;
}

/** Loads the first page of a list, and again after each of the events; further pages stay. */
export function usePagedList<Item extends { readonly id: number }>(
  path: string,
  filter: Filter,
  kinds: readonly EventKind[],
  interval: number | null = null,
): PagedList<Item> {
  const list = useSignal<ApiPage<Item> | null>(null);
  const failure = useSignal<Resource<unknown>["failure"]>(null);
  const reload = useRef(() => {});
  const address = (before: string) => addressOf(path, { ...filter, limit: "30", before }).slice(2);
  const key = address("");
  useEffect(() => {
    list.value = null;
    failure.value = null;
    const updates = repeat(async () => {
      const outcome = await request<ApiPage<Item>>("GET", key);
      if (updates.isClosed()) return;
      if (outcome.kind === "done") list.value = merge(outcome.value, list.value);
      failure.value = outcome.kind === "done" ? null : outcome;
    });
    reload.current = updates.request;
    return followUpdates(updates, kinds, interval);
  }, [key]);
  return {
    value: list.value?.items ?? null,
    failure: failure.value,
    reload: () => reload.current(),
    hasMore: list.value !== null && list.value.next !== null,
    async loadMore() {
      const loaded = list.value;
      if (loaded?.next == null) return;
      const outcome = await request<ApiPage<Item>>("GET", address(String(loaded.next)));
      if (outcome.kind !== "done") failure.value = outcome;
      else list.value = { items: [...loaded.items, ...outcome.value.items], next: outcome.value.next };
    },
  };
}

/** Puts a new first page before the loaded pages. Where items lie between them, the loaded pages are dropped. */
function merge<Item extends { readonly id: number }>(
  first: ApiPage<Item>,
  loaded: ApiPage<Item> | null,
): ApiPage<Item> {
  const last = first.items.at(-1)?.id ?? 0;
  const older = loaded?.items.filter(({ id }) => id < last) ?? [];
  const isAdjacent = loaded?.items.some(({ id }) => id === last) ?? false;
  if (loaded === null || older.length === 0 || first.next === null || !isAdjacent) return first;
  return { items: [...first.items, ...older], next: loaded.next };
}

interface Updates {
  /** Runs the action soon; once more if it is running. */
  request(): void;
  isClosed(): boolean;
  close(): void;
}

function repeat(action: () => Promise<void>): Updates {
  let isClosed = false;
  let isRunning = false;
  let isRequested = false;
  async function run(): Promise<void> {
    isRunning = true;
    do {
      isRequested = false;
      await action();
    } while (isRequested && !isClosed);
    isRunning = false;
  }
  return {
    request() {
      isRequested = true;
      if (!isRunning && !isClosed) void run();
    },
    isClosed: () => isClosed,
    close() {
      isClosed = true;
    },
  };
}

function followUpdates(updates: Updates, kinds: readonly EventKind[], interval: number | null): () => void {
  let waiting: ReturnType<typeof setTimeout> | undefined;
  const unsubscribe = subscribe((kind) => {
    if (kind !== "resumed" && !kinds.includes(kind)) return;
    waiting ??= setTimeout(() => {
      waiting = undefined;
      updates.request();
    }, COLLECT);
  });
  const timer =
    interval === null ? undefined : setInterval(() => document.hidden || updates.request(), interval);
  updates.request();
  return () => {
    updates.close();
    unsubscribe();
    clearTimeout(waiting);
    clearInterval(timer);
  };
}
