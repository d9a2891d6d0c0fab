-- "hook" in ASCII: identifies the file to file(1) and to hooklatch.
PRAGMA application_id = 0x686f6f6b;

-- All times are Unix milliseconds.

CREATE TABLE client (
  source TEXT NOT NULL,
  address TEXT NOT NULL,
  authorised_at INTEGER NOT NULL,
  expires_at INTEGER NOT NULL,
  PRIMARY KEY (source, address)
) STRICT, WITHOUT ROWID;

-- The decisions of a source's targets, stored once for all deliveries with the same decisions. There is no index on the
-- references, which would slow each accept down. Migration 4 removes the table.
CREATE TABLE decision_set (
  id INTEGER PRIMARY KEY,
  digest BLOB NOT NULL UNIQUE CHECK (length(digest) = 32), -- SHA-256 of the JSON
  leased_until INTEGER NOT NULL, -- no delivery with a higher id refers to it
  encoding TEXT NOT NULL CHECK (encoding IN ('plain', 'zstd')),
  decisions BLOB NOT NULL -- a JSON object { decisions: [{ target, deploy, reason }], reason }
) STRICT;

CREATE INDEX decision_set_leased_until ON decision_set (leased_until);

-- The body is the last column, so that the others are read without its overflow pages.
CREATE TABLE delivery (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  source TEXT NOT NULL,
  event TEXT NOT NULL,
  status TEXT NOT NULL,
  received_at INTEGER NOT NULL,
  client TEXT NOT NULL,
  has_identity INTEGER NOT NULL CHECK (has_identity IN (0, 1)), -- whether others are compared with it
  provider_id TEXT,
  hook TEXT,
  redelivery_of INTEGER REFERENCES delivery (id) ON DELETE SET NULL,
  replay_of INTEGER REFERENCES delivery (id) ON DELETE SET NULL,
  headers TEXT NOT NULL, -- a JSON object
  decision_set INTEGER NOT NULL,
  body_sha256 BLOB NOT NULL CHECK (length(body_sha256) = 32), -- of the body as received
  body_encoding TEXT NOT NULL CHECK (body_encoding IN ('plain', 'zstd')),
  body BLOB NOT NULL
) STRICT;

-- Without these two, removing a delivery would read the whole table for rows that refer to it.
CREATE INDEX delivery_redelivery_of ON delivery (redelivery_of) WHERE redelivery_of IS NOT NULL;
CREATE INDEX delivery_replay_of ON delivery (replay_of) WHERE replay_of IS NOT NULL;

-- The index of duplicates: keys of bodies and of senders' ids, see deliveries/seen-index.ts.
CREATE TABLE seen (
  key INTEGER NOT NULL,
  delivery INTEGER NOT NULL,
  PRIMARY KEY (key, delivery)
) STRICT, WITHOUT ROWID;

-- Keys of the newest deliveries, which are not merged into `seen` yet: one row for each commit.
CREATE TABLE seen_lately (
  id INTEGER PRIMARY KEY,
  keys TEXT NOT NULL -- a JSON array: key, delivery, key, delivery …
) STRICT;

-- The newest delivery that was removed, in one row. Keys of newer deliveries are merged without a check.
CREATE TABLE seen_removed (
  newest INTEGER NOT NULL
) STRICT;

INSERT INTO seen_removed VALUES (0);

CREATE TABLE deployment (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  target TEXT NOT NULL,
  state TEXT NOT NULL CHECK (
    state IN ('queued', 'running', 'succeeded', 'failed', 'superseded', 'cancelled', 'interrupted')
  ),
  reason TEXT,
  trigger TEXT NOT NULL CHECK (
    trigger IN ('push', 'redelivery', 'replay', 'catch-up', 'manual', 'rollback')
  ),
  delivery INTEGER REFERENCES delivery (id) ON DELETE SET NULL,
  pushed_commit TEXT,
  attempt INTEGER NOT NULL DEFAULT 1, -- 2 for the retry after a crash
  branch TEXT,
  "commit" TEXT,
  previous_commit TEXT,
  release TEXT,
  created_at INTEGER NOT NULL,
  started_at INTEGER,
  ended_at INTEGER
) STRICT;

CREATE INDEX deployment_target ON deployment (target);
CREATE INDEX deployment_delivery ON deployment (delivery) WHERE delivery IS NOT NULL;
CREATE INDEX deployment_queued ON deployment (target) WHERE state = 'queued';
-- Enforces that one deployment of a target runs at a time.
CREATE UNIQUE INDEX deployment_running ON deployment (target) WHERE state = 'running';

CREATE TABLE step (
  deployment INTEGER NOT NULL REFERENCES deployment (id) ON DELETE CASCADE,
  position INTEGER NOT NULL,
  command TEXT NOT NULL,
  exit_code INTEGER,
  signal TEXT,
  milliseconds INTEGER NOT NULL,
  PRIMARY KEY (deployment, position)
) STRICT, WITHOUT ROWID;

CREATE TABLE live (
  target TEXT PRIMARY KEY,
  "commit" TEXT,
  release TEXT,
  since INTEGER NOT NULL,
  deployment INTEGER NOT NULL UNIQUE REFERENCES deployment (id)
) STRICT, WITHOUT ROWID;

CREATE TABLE output (
  deployment INTEGER NOT NULL REFERENCES deployment (id) ON DELETE CASCADE,
  line INTEGER NOT NULL, -- counted from 0, removed ones included
  text TEXT NOT NULL,
  PRIMARY KEY (deployment, line)
) STRICT, WITHOUT ROWID;

-- Which lines of a deployment's output are stored: [0, head_lines) and [tail_start, next_line).
CREATE TABLE output_extent (
  deployment INTEGER PRIMARY KEY REFERENCES deployment (id) ON DELETE CASCADE,
  head_lines INTEGER NOT NULL,
  head_bytes INTEGER NOT NULL,
  tail_start INTEGER NOT NULL,
  tail_bytes INTEGER NOT NULL,
  next_line INTEGER NOT NULL
) STRICT;
