import type { ApiClient } from "../../api/client.ts";
import { formatTime, type Style } from "./style.ts";
import type { Column } from "./table.ts";

/** The columns of a list of clients. */
export function clientColumns(style: Style): readonly Column<ApiClient>[] {
  const isExpired = ({ expires_at }: ApiClient) => style.now.getTime() > Date.parse(expires_at);
  return [
    { heading: "ADDRESS", text: ({ address }) => address },
    { heading: "SOURCE", text: ({ source }) => source },
    { heading: "AUTHORISED", text: ({ authorised_at }) => formatTime(authorised_at, style) },
    { heading: "EXPIRES", text: ({ expires_at }) => formatTime(expires_at, style) },
    {
      heading: "MAY POST",
      text: (client) => (isExpired(client) ? "no, expired" : "yes"),
      colour: (client) => (isExpired(client) ? "yellow" : "green"),
    },
  ];
}
