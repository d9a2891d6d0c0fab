/** Reads an http or https URL. Undefined when it is none, or has a user or password in it. */
export function parseHttpUrl(text: string): URL | undefined {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  const plain = url?.username === "" && url.password === "";
  return plain && /^https?:$/.test(url.protocol) ? url : undefined;
}
