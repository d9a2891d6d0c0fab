-- The name and the action of events, the results of CI, further triggers, and deployments of a commit whose CI succeeded.
-- Tables are rebuilt, because their checks change, and because the body stays the last column of a delivery.
CREATE TABLE delivery_next (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  source TEXT NOT NULL,
  event TEXT NOT NULL,
  event_name TEXT, -- the provider's name; null where an earlier version stored the delivery and it is not known
  action TEXT,
  status TEXT NOT NULL,
  reason TEXT,
  received_at INTEGER NOT NULL,
  client TEXT NOT NULL,
  has_identity INTEGER NOT NULL CHECK (has_identity IN (0, 1)), -- whether later ones are compared with it
  provider_id TEXT,
  hook TEXT,
  redelivery_of INTEGER REFERENCES delivery (id) ON DELETE SET NULL,
  replay_of INTEGER REFERENCES delivery (id) ON DELETE SET NULL,
  headers TEXT NOT NULL, -- a JSON object
  decisions TEXT, -- a JSON array of { target, deploy, code, reason }; null when the event is about no target
  other_targets INTEGER NOT NULL, -- how many targets of the source the event is not about
  ci_commit TEXT, -- the commit that a result of CI is about
  ci TEXT, -- the result: a JSON object { repository, refs, workflows, outcome, cause, run }
  body_sha256 BLOB NOT NULL CHECK (length(body_sha256) = 32), -- of the body as received
  body_encoding TEXT NOT NULL CHECK (body_encoding IN ('plain', 'zstd')),
  body BLOB NOT NULL, -- last, so that the other columns are read without its overflow pages
  CHECK ((ci_commit IS NULL) = (ci IS NULL))
) STRICT;

INSERT INTO delivery_next (id, source, event, event_name, status, reason, received_at, client, has_identity,
  provider_id, hook, redelivery_of, replay_of, headers, decisions, other_targets, body_sha256, body_encoding, body)
SELECT id, source, event, CASE WHEN event IN ('ping', 'push') THEN event END, status, reason, received_at, client,
  has_identity, provider_id, hook, redelivery_of, replay_of, headers, decisions, other_targets, body_sha256,
  body_encoding, body
FROM delivery ORDER BY id;

-- The id of a removed delivery is never reused.
DELETE FROM sqlite_sequence WHERE name = 'delivery_next';
UPDATE sqlite_sequence SET name = 'delivery_next' WHERE name = 'delivery';

DROP TABLE delivery;
ALTER TABLE delivery_next RENAME TO delivery;

CREATE INDEX delivery_redelivery_of ON delivery (redelivery_of) WHERE redelivery_of IS NOT NULL;
CREATE INDEX delivery_replay_of ON delivery (replay_of) WHERE replay_of IS NOT NULL;
CREATE INDEX delivery_source_status ON delivery (source, status);
CREATE INDEX delivery_ci_commit ON delivery (ci_commit) WHERE ci_commit IS NOT NULL;

CREATE TABLE deployment_next (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  target TEXT NOT NULL,
  state TEXT NOT NULL CHECK (
    state IN ('queued', 'running', 'succeeded', 'failed', 'superseded', 'cancelled', 'interrupted')
  ),
  code TEXT, -- why it ended in another state than succeeded; `reason` has further details
  reason TEXT,
  trigger TEXT NOT NULL CHECK (
    trigger IN ('push', 'ci', 'release', 'event', 'redelivery', 'replay', 'catch-up', 'manual', 'rollback')
  ),
  delivery INTEGER REFERENCES delivery (id) ON DELETE SET NULL,
  pushed_commit TEXT,
  -- A person's choice of a commit or release, or the commit whose CI succeeded; a release without a name is the one
  -- before the live one. Both are null for the tip.
  choice TEXT CHECK (choice IN ('commit', 'ci', 'release')),
  chosen TEXT CHECK (choice IS NULL OR choice = 'release' OR chosen IS NOT NULL),
  -- Whether it waits for its turn whatever is queued later.
  queue_all INTEGER NOT NULL DEFAULT 0 CHECK (queue_all IN (0, 1)),
  attempt INTEGER NOT NULL DEFAULT 1, -- 2 for the retry after a crash
  -- The interrupted deployment that this one repeats, and the newer one that replaced this one. Either may have been
  -- removed; ids are never reused. An index on the second would slow each accept down.
  retry_of INTEGER,
  superseded_by INTEGER,
  branch TEXT,
  "commit" TEXT,
  subject TEXT,
  author TEXT,
  commit_url TEXT,
  previous_commit TEXT,
  release TEXT,
  created_at INTEGER NOT NULL,
  started_at INTEGER,
  ended_at INTEGER
) STRICT;

INSERT INTO deployment_next (id, target, state, code, reason, trigger, delivery, pushed_commit, choice, chosen,
  queue_all, attempt, retry_of, superseded_by, branch, "commit", subject, author, commit_url, previous_commit, release,
  created_at, started_at, ended_at)
SELECT id, target, state, code, reason, trigger, delivery, pushed_commit, choice, chosen,
  queue_all, attempt, retry_of, superseded_by, branch, "commit", subject, author, commit_url, previous_commit, release,
  created_at, started_at, ended_at
FROM deployment ORDER BY id;

DELETE FROM sqlite_sequence WHERE name = 'deployment_next';
UPDATE sqlite_sequence SET name = 'deployment_next' WHERE name = 'deployment';

DROP TABLE deployment;
ALTER TABLE deployment_next RENAME TO deployment;

CREATE INDEX deployment_target ON deployment (target);
CREATE INDEX deployment_delivery ON deployment (delivery) WHERE delivery IS NOT NULL;
CREATE INDEX deployment_queued ON deployment (target) WHERE state = 'queued';
-- Enforces that one deployment of a target runs at a time.
CREATE UNIQUE INDEX deployment_running ON deployment (target) WHERE state = 'running';
CREATE INDEX deployment_state ON deployment (state)
  WHERE state = 'succeeded' OR state = 'failed' OR state = 'cancelled' OR state = 'interrupted';
CREATE INDEX deployment_target_state ON deployment (target, state)
  WHERE state = 'succeeded' OR state = 'failed' OR state = 'cancelled' OR state = 'interrupted';
CREATE INDEX deployment_tip ON deployment (target) WHERE "commit" IS NOT NULL AND choice IS NULL;
CREATE UNIQUE INDEX deployment_retry_of ON deployment (retry_of) WHERE retry_of IS NOT NULL;

CREATE TABLE lock_next (
  target TEXT PRIMARY KEY,
  reason TEXT NOT NULL,
  "by" TEXT NOT NULL,
  since INTEGER NOT NULL,
  until INTEGER, -- null: never expires
  -- The newest delivery that it blocked, and how that would have been queued.
  delivery INTEGER REFERENCES delivery (id),
  trigger TEXT CHECK (trigger IN ('push', 'release', 'event', 'redelivery', 'replay')),
  pushed_commit TEXT,
  CHECK ((delivery IS NULL) = (trigger IS NULL))
) STRICT, WITHOUT ROWID;

INSERT INTO lock_next (target, reason, "by", since, until, delivery, trigger, pushed_commit)
SELECT target, reason, "by", since, until, delivery, trigger, pushed_commit FROM lock;
DROP TABLE lock;
ALTER TABLE lock_next RENAME TO lock;

-- Without it, removing a delivery would read all locks.
CREATE INDEX lock_delivery ON lock (delivery) WHERE delivery IS NOT NULL;
