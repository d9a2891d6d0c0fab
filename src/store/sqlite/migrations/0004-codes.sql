-- Each delivery has the decisions of the targets that the event is about, and the reason of the response. 0004-codes.ts
-- fills the temporary table `decided`.
CREATE TABLE delivery_next (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  source TEXT NOT NULL,
  event TEXT NOT NULL,
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
  body_sha256 BLOB NOT NULL CHECK (length(body_sha256) = 32), -- of the body as received
  body_encoding TEXT NOT NULL CHECK (body_encoding IN ('plain', 'zstd')),
  body BLOB NOT NULL -- last, so that the other columns are read without its overflow pages
) STRICT;

INSERT INTO delivery_next
SELECT delivery.id, source, event, status, reason, received_at, client, has_identity, provider_id, hook,
  redelivery_of, replay_of, headers, decisions, ifnull(other_targets, 0), body_sha256, body_encoding, body
FROM delivery LEFT JOIN decided ON decided.id = decision_set
ORDER BY delivery.id;

-- The id of a removed delivery is never reused.
DELETE FROM sqlite_sequence WHERE name = 'delivery_next';
UPDATE sqlite_sequence SET name = 'delivery_next' WHERE name = 'delivery';

DROP TABLE delivery;
DROP TABLE decision_set;
ALTER TABLE delivery_next RENAME TO delivery;

CREATE INDEX delivery_redelivery_of ON delivery (redelivery_of) WHERE redelivery_of IS NOT NULL;
CREATE INDEX delivery_replay_of ON delivery (replay_of) WHERE replay_of IS NOT NULL;
CREATE INDEX delivery_source_status ON delivery (source, status);

-- The targets that a delivery is about and does not deploy.
ALTER TABLE undeployed RENAME TO not_deployed;
DROP INDEX undeployed_delivery;
CREATE INDEX not_deployed_delivery ON not_deployed (delivery);

ALTER TABLE notice RENAME TO notification;
ALTER TABLE notification RENAME COLUMN subscriber TO channel;
ALTER TABLE notification RENAME COLUMN news TO kind;
DROP INDEX notice_due_at;
CREATE INDEX notification_due_at ON notification (due_at);

-- Why a deployment ended in another state than `succeeded`; `reason` has further details.
ALTER TABLE deployment ADD COLUMN code TEXT;
-- The interrupted deployment that this one repeats, and the newer one that replaced this one. Either may have been
-- removed; ids are never reused. An index on the second would slow each accept down.
ALTER TABLE deployment ADD COLUMN retry_of INTEGER;
ALTER TABLE deployment ADD COLUMN superseded_by INTEGER;
CREATE UNIQUE INDEX deployment_retry_of ON deployment (retry_of) WHERE retry_of IS NOT NULL;

UPDATE deployment
SET code = 'superseded', reason = NULL,
  superseded_by = CAST(replace(replace(reason, 'deployment ', ''), ' is newer', '') AS INTEGER)
WHERE state = 'superseded' AND reason GLOB 'deployment [0-9]* is newer';
