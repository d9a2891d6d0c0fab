import { Type } from "@sinclair/typebox";
import { ApiForgotten, ApiHost, toApiHost } from "../../api/host.ts";
import { Conflict, NotFound } from "../../api/problem.ts";
import type { Host } from "../../domain/host.ts";
import { MAX_PAGE } from "../../domain/page.ts";
import { jsonBody, NameText, readRange } from "./request.ts";
import { createRoutes, describeList, describeRoute } from "./route.ts";
import type { AdminServices } from "./services.ts";

const params = Type.Object({ name: NameText });
const UNKNOWN = { status: "not found", reason: "there is no such host" };
const SINGLE = {
  status: "single host",
  reason: "the store is a SQLite file, which has one host: set [store] url to share a store",
};

/** The routes that show and operate hosts. */
export function hosts({ store, operator }: AdminServices) {
  const { fleet } = store;
  const describe = async (host: Host) => {
    const list = async (state: "running" | "queued") => {
      const filter = { target: null, source: null, state, host: host.name };
      return (await store.listDeployments(filter, { limit: MAX_PAGE, before: null })).items;
    };
    return toApiHost(host, await list("running"), await list("queued"));
  };
  const find = async (name: string) => (await fleet?.listHosts())?.find((host) => host.name === name);

  return createRoutes()
    .get(
      "/api/hosts",
      async ({ query }) => {
        const { limit, before } = readRange(query);
        const all = (await fleet?.listHosts()) ?? [];
        const from = before ?? 0;
        const items = await Promise.all(all.slice(from, from + limit).map(describe));
        // Hosts have no ids: their positions, counted from 1, serve as ids of the list.
        return { items, next: from + limit < all.length ? from + limit : null };
      },
      describeList("hosts", "List the hosts that share the store, by name", ApiHost, {}),
    )
    .get(
      "/api/hosts/:name",
      async ({ params, status }) => {
        if (fleet === null) return status(409, SINGLE);
        const host = await find(params.name);
        return host === undefined ? status(404, UNKNOWN) : describe(host);
      },
      { params, ...describeRoute("hosts", "Show a host", { 200: ApiHost, 404: NotFound, 409: Conflict }) },
    )
    .post(
      "/api/hosts/:name/drain",
      async ({ params, status }) => {
        if (fleet === null) return status(409, SINGLE);
        const host = await operator.drain(params.name, true);
        return host === null ? status(404, UNKNOWN) : describe(host);
      },
      {
        params,
        ...jsonBody({}),
        ...describeRoute("hosts", "Start no further deployment on a host", {
          200: ApiHost,
          404: NotFound,
          409: Conflict,
        }),
      },
    )
    .post(
      "/api/hosts/:name/undrain",
      async ({ params, status }) => {
        if (fleet === null) return status(409, SINGLE);
        const host = await operator.drain(params.name, false);
        return host === null ? status(404, UNKNOWN) : describe(host);
      },
      {
        params,
        ...jsonBody({}),
        ...describeRoute("hosts", "Start deployments on a drained host again", {
          200: ApiHost,
          404: NotFound,
          409: Conflict,
        }),
      },
    )
    .delete(
      "/api/hosts/:name",
      async ({ params, status }) => {
        if (fleet === null) return status(409, SINGLE);
        const outcome = await operator.forget(params.name);
        if (outcome.kind === "unknown host") return status(404, UNKNOWN);
        if (outcome.kind === "forgotten")
          return { status: "forgotten" as const, cancelled: [...outcome.cancelled] };
        return status(409, { status: "up", reason: "the host is up: stop its server first" });
      },
      {
        params,
        ...describeRoute("hosts", "Remove a host that is away, and cancel its queued deployments", {
          200: ApiForgotten,
          404: NotFound,
          409: Conflict,
        }),
      },
    );
}
