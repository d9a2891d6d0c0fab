import type { StoreEngine } from "../../group.ts";
import type { Connection } from "../connection.ts";
import { type InsertParts, prepareInsertGroup } from "./insert.ts";

/** Creates the accepting of deliveries in one transaction, which waits for the disk once. */
export function createAcceptGroup(
  connection: Connection,
  parts: InsertParts,
): Pick<StoreEngine, "acceptGroup"> {
  const { seen } = parts;
  const insertGroup = prepareInsertGroup(connection, parts);
  return {
    acceptGroup: (group) =>
      connection.attempt(() => {
        try {
          const results = connection.transact(() => insertGroup(group));
          seen.confirm();
          return results;
        } catch (error) {
          seen.discard();
          throw error;
        }
      }),
  };
}
