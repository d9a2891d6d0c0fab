import { Type } from "@sinclair/typebox";
import { Defaulted, DurationUpTo, SecretSetting, TableSetting } from "../lib/schema.ts";
import { Timer } from "./schema.ts";

/** Dates end in the year 275760 (ECMA-262, 21.4.1.1), which longer ages would exceed. */
const Age = DurationUpTo(36_500 * 86_400_000);

/** The name of a host, as systems have it. */
const HostName = Type.String({
  pattern: "^[A-Za-z0-9](?:[A-Za-z0-9._-]{0,61}[A-Za-z0-9])?$",
  expected: 'the name of a host, such as "web-1": at most 63 letters, digits and "._-"',
});

/** `[store]`. */
export const StoreTable = TableSetting(
  {
    url: Type.Optional(SecretSetting),
    host: Type.Optional(HostName),
    rollout_patience: Defaulted(Timer, "10m"),
    keep_deliveries: Defaulted(Age, "30d"),
    keep_deployments: Defaulted(Age, "180d"),
  },
  {
    url: "URL of a PostgreSQL database that several hosts share, such as `postgres://hooklatch:PASSWORD@db.internal/hooklatch`, as a secret; see [Fleet](fleet.md). Default: a SQLite database in `data_dir`.",
    host: "Name of this machine, with `url`: unique among the hosts of the database. Default: the system's host name.",
    rollout_patience:
      "How long a one-by-one rollout waits for a host that is away or drained, before the next host begins.",
    keep_deliveries: "How long deliveries are stored, and recognised when they are repeated.",
    keep_deployments: "How long deployments and their output are stored.",
  },
);
