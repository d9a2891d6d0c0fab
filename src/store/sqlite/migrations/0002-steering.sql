-- Clients get a number, a higher one each time they are authorised. (First, so that what comes next
-- fills the page that the old table leaves.)
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

-- What a person chose to deploy: a commit, or a release, by the name in `chosen`; a release without a name is the one
-- before the live one. Both are null where it is the tip.
ALTER TABLE deployment ADD COLUMN choice TEXT CHECK (choice IN ('commit', 'release'));
ALTER TABLE deployment ADD COLUMN chosen TEXT CHECK (choice IS NOT 'commit' OR chosen IS NOT NULL);

-- The indices of 0001 serve what waits and runs. These are of what came to an end by running, and of no other, so that
-- no accept has to write them: it queues and supersedes. (With IN a query for one state would not find them.)
CREATE INDEX deployment_state ON deployment (state)
  WHERE state = 'succeeded' OR state = 'failed' OR state = 'cancelled' OR state = 'interrupted';
CREATE INDEX deployment_target_state ON deployment (target, state)
  WHERE state = 'succeeded' OR state = 'failed' OR state = 'cancelled' OR state = 'interrupted';
CREATE INDEX deployment_tip ON deployment (target) WHERE "commit" IS NOT NULL AND choice IS NULL;

-- Lists by source and status. Each accept writes it, at the end of one of a few runs of equal keys, which costs little.
CREATE INDEX delivery_source_status ON delivery (source, status);

-- A target that a person locked. A row stays until the lock is taken away, also when its time is over.
CREATE TABLE lock (
  target TEXT PRIMARY KEY,
  reason TEXT NOT NULL,
  "by" TEXT NOT NULL,
  since INTEGER NOT NULL,
  until INTEGER, -- null: until a person unlocks it
  -- The newest delivery that it held back, and how that would have been queued.
  delivery INTEGER REFERENCES delivery (id),
  trigger TEXT CHECK (trigger IN ('push', 'redelivery', 'replay')),
  pushed_commit TEXT,
  CHECK ((delivery IS NULL) = (trigger IS NULL))
) STRICT, WITHOUT ROWID;

-- Without it, removing a delivery would read all locks.
CREATE INDEX lock_delivery ON lock (delivery) WHERE delivery IS NOT NULL;

-- What a subscriber has not been told yet. At most one of each deployment: its end takes the place of its start.
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

-- One row that is written to see whether anything can be written.
CREATE TABLE probe (
  at INTEGER NOT NULL
) STRICT;

INSERT INTO probe VALUES (0);

-- Lists of address ranges that others publish, as they were fetched last.
CREATE TABLE published_ranges (
  list TEXT PRIMARY KEY,
  ranges TEXT NOT NULL, -- a JSON array of ranges in CIDR notation
  fetched_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
