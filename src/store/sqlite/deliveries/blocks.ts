import { pack, packTogether, unpack } from "../../body.ts";
import type { BodyRow } from "../../delivery-row.ts";
import type { Connection } from "../connection.ts";

/** In bytes. A larger body gains little from its neighbours, and would make reading them slow. */
const MAX_SHARED = 64 * 1024;

/** Bytes of a block before it is compressed. Reading one body of it decompresses all, which takes about 0.2 ms. */
const MAX_BLOCK = 256 * 1024;

/** Stores the bodies of one commit, inside its transaction. */
export interface BodyWriter {
  /** The columns of the next delivery's body. */
  add(body: Uint8Array): BodyRow;
  /** Call it with the id under which that delivery was inserted. */
  inserted(delivery: number): void;
  /** Writes what the columns refer to. Call it before the commit. */
  end(): void;
}

/** A block that is being filled. */
interface OpenBlock {
  readonly id: number;
  readonly bodies: Uint8Array[];
  length: number;
  first: number;
  last: number;
}

/** The columns of a body that is in no block. */
const NO_BLOCK = { block: null, block_offset: null, block_length: null };

/**
 * Prepares the storing of bodies: those of one commit are compressed together in blocks, which takes a third of the time
 * and at most half of the space. A large one is compressed alone, and so is one without another in its commit.
 */
export function prepareBodyWriter(connection: Connection) {
  const insert = connection.prepare<
    never,
    { id: number; first_delivery: number; last_delivery: number; bytes: Uint8Array }
  >(
    "INSERT INTO body_block (id, first_delivery, last_delivery, bytes) VALUES ($id, $first_delivery, $last_delivery, $bytes)",
  );
  const selectLast = connection.prepare<{ id: number | null }>("SELECT max(id) AS id FROM body_block");
  // Not set back by a rollback: an id that was not used is harmless.
  let lastId = selectLast.get({})?.id ?? 0;

  /** @param lengths the lengths of the bodies that may be added. */
  return (lengths: readonly number[]): BodyWriter => {
    const areShared = lengths.filter((length) => length < MAX_SHARED).length > 1;
    let block: OpenBlock | null = null;
    let isInBlock = false;

    function end(): void {
      if (block === null || block.bodies.length === 0) return;
      const { id, first: first_delivery, last: last_delivery, bodies } = block;
      insert.run({ id, first_delivery, last_delivery, bytes: packTogether(bodies) });
      block = null;
    }

    return {
      add(body) {
        isInBlock = areShared && body.length < MAX_SHARED;
        if (!isInBlock) {
          const { encoding: body_encoding, bytes } = pack(body);
          return { ...NO_BLOCK, body_encoding, body: bytes };
        }
        if (block !== null && block.length + body.length > MAX_BLOCK) end();
        block ??= { id: ++lastId, bodies: [], length: 0, first: 0, last: 0 };
        const { id, length: block_offset } = block;
        block.bodies.push(body);
        block.length += body.length;
        return {
          block: id,
          block_offset,
          block_length: body.length,
          body_encoding: "plain",
          body: new Uint8Array(0),
        };
      },
      inserted(delivery) {
        if (block === null || !isInBlock) return;
        if (block.first === 0) block.first = delivery;
        block.last = delivery;
      },
      end,
    };
  };
}

/** Prepares the reading of a stored body. */
export function prepareReadBody(connection: Connection) {
  const select = connection.prepare<{ bytes: Uint8Array }, { id: number }>(
    "SELECT bytes FROM body_block WHERE id = $id",
  );
  return ({ body_encoding, body, block, block_offset, block_length }: BodyRow): Uint8Array => {
    if (block === null) return unpack({ encoding: body_encoding, bytes: body });
    const row = select.get({ id: block });
    if (row === null) throw new Error(`block ${block} of bodies is not stored`);
    const start = block_offset ?? 0;
    return unpack({ encoding: "zstd", bytes: row.bytes }).slice(start, start + (block_length ?? 0));
  };
}

/** Prepares the removal of blocks to which no delivery refers any more, in the caller's transaction. */
export function prepareRemoveUnusedBlocks(connection: Connection) {
  const remove = connection.prepare<never, { id: number }>(`
    DELETE FROM body_block WHERE id = $id AND NOT EXISTS (
      SELECT 1 FROM delivery
      WHERE delivery.id BETWEEN first_delivery AND last_delivery AND delivery.block = body_block.id)`);
  return (blocks: ReadonlySet<number>): void => {
    for (const id of blocks) remove.run({ id });
  };
}
