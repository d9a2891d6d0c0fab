/** A page of the dashboard and what it shows. */
export type Route =
  | { readonly page: "overview" }
  | { readonly page: "target"; readonly name: string }
  | { readonly page: "deployments"; readonly filter: Filter }
  | { readonly page: "deployment"; readonly id: number }
  | { readonly page: "deliveries"; readonly filter: Filter }
  | { readonly page: "delivery"; readonly id: number }
  | { readonly page: "refusals"; readonly filter: Filter }
  | { readonly page: "clients" }
  | { readonly page: "status" }
  | { readonly page: "unknown" };

/** Query parameters of a list, which the API has under the same names. */
export type Filter = Readonly<Record<string, string>>;

/** Reads the fragment of an address, such as `#/deployments?state=failed`. */
export function parseRoute(hash: string): Route {
  const [path = "", query = ""] = hash.replace(/^#\/?/, "").split("?");
  const [name = "", rest, ...more] = path.split("/").map(decode);
  if (more.length > 0) return { page: "unknown" };
  const filter: Filter = Object.fromEntries(new URLSearchParams(query));
  if (rest === undefined || rest === "") {
    switch (name) {
      case "":
        return { page: "overview" };
      case "deployments":
      case "deliveries":
      case "refusals":
        return { page: name, filter };
      case "clients":
      case "status":
        return { page: name };
      default:
        return { page: "unknown" };
    }
  }
  if (name === "targets") return { page: "target", name: rest };
  const id = /^[1-9]\d{0,15}$/.test(rest) ? Number(rest) : null;
  if (id !== null && name === "deployments") return { page: "deployment", id };
  if (id !== null && name === "deliveries") return { page: "delivery", id };
  return { page: "unknown" };
}

/** The address of a page, with the filter of a list. Undefined and empty parameters are left out. */
export function addressOf(path: string, filter: Readonly<Record<string, string | undefined>> = {}): string {
  const query = new URLSearchParams();
  for (const [name, value] of Object.entries(filter)) if (value) query.set(name, value);
  return `#/${path}${query.size > 0 ? `?${query}` : ""}`;
}

/** The named parameters of a filter that have a value. */
export function pickFilter(filter: Filter, names: readonly string[]): Filter {
  return Object.fromEntries(names.flatMap((name) => (filter[name] ? [[name, filter[name]]] : [])));
}

/** The address of a target. */
export const targetAddress = (name: string) => addressOf(`targets/${encodeURIComponent(name)}`);

/** The address of a deployment. */
export const deploymentAddress = (id: number) => addressOf(`deployments/${id}`);

/** The address of a delivery. */
export const deliveryAddress = (id: number) => addressOf(`deliveries/${id}`);

/** A fragment that is not valid stays as it is written. */
function decode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
