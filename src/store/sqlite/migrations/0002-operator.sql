-- Clients get an id, a higher one at each authorisation. (First, so that the following tables reuse the page of the old
-- one.)
ALTER TABLE client RENAME TO client_before;

CREATE TABLE client (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  source TEXT NOT NULL,
  address TEXT NOT NULL,
  authorised_at INTEGER NOT NULL,
  expires_at INTEGER NOT NULL,
  UNIQUE (source, address)
) STRICT;

INSERT INTO client (source, address, authorised_at, expires_at)
SELECT source, address, authorised_at, expires_at FROM client_before ORDER BY authorised_at;

DROP TABLE client_before;

-- The operator's choice of a commit or release, in `chosen`; a release without a name is the one before the live one.
-- Both are null for the tip.
ALTER TABLE deployment ADD COLUMN choice TEXT CHECK (choice IN ('commit', 'release'));
ALTER TABLE deployment ADD COLUMN chosen TEXT CHECK (choice IS NOT 'commit' OR chosen IS NOT NULL);

-- The indexes of 0001 serve queued and running deployments. These have only the other states, without `superseded`, so
-- that accepting a delivery does not write them. (With IN, SQLite would not use them in a query for one state.)
CREATE INDEX deployment_state ON deployment (state)
  WHERE state = 'succeeded' OR state = 'failed' OR state = 'cancelled' OR state = 'interrupted';
CREATE INDEX deployment_target_state ON deployment (target, state)
  WHERE state = 'succeeded' OR state = 'failed' OR state = 'cancelled' OR state = 'interrupted';
CREATE INDEX deployment_tip ON deployment (target) WHERE "commit" IS NOT NULL AND choice IS NULL;

-- For lists by source and status. Each accept writes it, cheaply, at the end of one of a few runs of equal keys.
CREATE INDEX delivery_source_status ON delivery (source, status);

-- The lock of a target. The row stays until the lock is removed, also after it expired.
CREATE TABLE lock (
  target TEXT PRIMARY KEY,
  reason TEXT NOT NULL,
  "by" TEXT NOT NULL,
  since INTEGER NOT NULL,
  until INTEGER, -- null: never expires
  -- The newest delivery that it blocked, and how that would have been queued.
  delivery INTEGER REFERENCES delivery (id),
  trigger TEXT CHECK (trigger IN ('push', 'redelivery', 'replay')),
  pushed_commit TEXT,
  CHECK ((delivery IS NULL) = (trigger IS NULL))
) STRICT, WITHOUT ROWID;

-- Without it, removing a delivery would read all locks.
CREATE INDEX lock_delivery ON lock (delivery) WHERE delivery IS NOT NULL;

-- The notifications to send. A subscriber has at most one of each deployment: its end replaces its start.
CREATE TABLE notice (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  subscriber TEXT NOT NULL,
  deployment INTEGER NOT NULL REFERENCES deployment (id) ON DELETE CASCADE,
  news TEXT NOT NULL CHECK (
    news IN ('started', 'succeeded', 'recovered', 'failed', 'cancelled', 'interrupted')
  ),
  attempts INTEGER NOT NULL DEFAULT 0,
  created_at INTEGER NOT NULL,
  due_at INTEGER NOT NULL,
  UNIQUE (deployment, subscriber)
) STRICT;

CREATE INDEX notice_due_at ON notice (due_at);

-- One row that is written to check whether the database can be written.
CREATE TABLE probe (
  at INTEGER NOT NULL
) STRICT;

INSERT INTO probe VALUES (0);

-- The published lists of address ranges, as last downloaded.
CREATE TABLE published_ranges (
  list TEXT PRIMARY KEY,
  ranges TEXT NOT NULL, -- a JSON array of ranges in CIDR notation
  fetched_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
