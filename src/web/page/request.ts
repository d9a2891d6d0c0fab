import { signal } from "@preact/signals";

/** Whether this browser has a session: not known before the first response. */
export const session = signal<"unknown" | "open" | "none">("unknown");

/** The response of the API. */
export type Outcome<Value> =
  | { readonly kind: "done"; readonly value: Value }
  | Problem
  /** No response. */
  | { readonly kind: "unreachable" };

/** The API rejected a request. */
export interface Problem {
  readonly kind: "problem";
  readonly code: number;
  /** The kind of problem, such as `locked`. */
  readonly status: string;
  /** What is wrong, for people. */
  readonly reason: string;
}

/** Shows the server that the request comes from this page, where the browser does not (see `isSameOrigin`). */
export const OWN_HEADERS = { "x-hooklatch-dashboard": "1" };

/** Milliseconds. */
const TIMEOUT = 20_000;

/**
 * Sends a request to the API of the same server. Addresses are relative to the page, which a proxy may serve below a path.
 * The shapes in `src/api` describe the values: page and server are the same executable.
 */
export async function request<Value>(
  method: "GET" | "POST" | "DELETE",
  path: string,
  body: Readonly<Record<string, unknown>> | null = null,
): Promise<Outcome<Value>> {
  const headers: Record<string, string> = { ...OWN_HEADERS };
  if (body !== null) headers["content-type"] = "application/json";
  try {
    const response = await fetch(path, {
      method,
      headers,
      signal: AbortSignal.timeout(TIMEOUT),
      ...(body !== null && { body: JSON.stringify(body) }),
    });
    const value: unknown = await response.json();
    if (response.ok) return { kind: "done", value: value as Value };
    if (response.status === 401 && path !== "api/session") session.value = "none";
    return toProblem(response, value);
  } catch {
    return { kind: "unreachable" };
  }
}

function toProblem({ status: code, headers }: Response, value: unknown): Problem {
  const { status = `error ${code}`, reason } = (value ?? {}) as { status?: string; reason?: string };
  const wait = headers.get("retry-after");
  const again = wait === null ? "" : `: try again in ${wait} s`;
  return { kind: "problem", code, status, reason: reason ?? `${status}${again}` };
}

/** A failed request in words. */
export function explain(outcome: Exclude<Outcome<unknown>, { kind: "done" }>): string {
  return outcome.kind === "problem" ? outcome.reason : "the server does not respond; try again";
}

/** Finds out whether this browser has a session. A server that does not respond is no reason to ask for the token. */
export async function findSession(): Promise<void> {
  const outcome = await request<{ status: string }>("GET", "api/session");
  session.value = outcome.kind === "done" && outcome.value.status === "none" ? "none" : "open";
}

/** Logs in. Returns why it failed; null for a success. */
export async function logIn(token: string): Promise<string | null> {
  const outcome = await request<unknown>("POST", "api/session", { token });
  if (outcome.kind === "done") {
    session.value = "open";
    return null;
  }
  if (outcome.kind === "problem" && outcome.code === 401) return "This is not the admin token.";
  if (outcome.kind === "problem" && outcome.code === 429) {
    return `Too many wrong tokens. ${outcome.reason.replace(/^.*: t/, "T")}.`;
  }
  return `Could not log in: ${explain(outcome)}`;
}

const LOGOUT_KEY = "hooklatch-logout";

/** Ends the session in this browser. */
export async function logOut(): Promise<void> {
  await request("DELETE", "api/session");
  session.value = "none";
  localStorage.setItem(LOGOUT_KEY, String(Date.now()));
}

/** Shows the login in every tab after a logout in one. The streams of a tab would continue otherwise. */
export function followLogouts(): void {
  window.addEventListener("storage", ({ key }) => {
    if (key === LOGOUT_KEY) session.value = "none";
  });
}
