const KEY = "hooklatch-operator";

/** The name that a person gave at the login; empty for none. */
export function operatorName(): string {
  return localStorage.getItem(KEY) ?? "";
}

/** Remembers the name in this browser. */
export function rememberOperator(name: string): void {
  localStorage.setItem(KEY, name.trim());
}

/** Who does something, as the API records it. */
export function operator(): string {
  return operatorName() || "the dashboard";
}
