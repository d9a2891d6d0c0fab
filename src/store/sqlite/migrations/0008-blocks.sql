-- The bodies of deliveries that were committed together, compressed together. A block is removed with the last delivery
-- that refers to it, which is found by its id: an index of the references would slow each accept down.
CREATE TABLE body_block (
  id INTEGER PRIMARY KEY,
  first_delivery INTEGER NOT NULL,
  last_delivery INTEGER NOT NULL,
  bytes BLOB NOT NULL -- zstd
) STRICT;

-- Where a body is in its block; null for a body of its own. The columns `body` and `body_encoding` are then empty and
-- 'plain'.
ALTER TABLE delivery ADD COLUMN block INTEGER;
ALTER TABLE delivery ADD COLUMN block_offset INTEGER; -- in the decompressed bytes
ALTER TABLE delivery ADD COLUMN block_length INTEGER;
