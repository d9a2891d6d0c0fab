-- All times are Unix milliseconds of the processes' clocks, except where the type is a timestamp: those are of the
-- database's clock. In texts, the character U+E000 escapes what Postgres refuses, see connection.ts.

-- The last ids. They are assigned in the write lane, so that a higher one is never visible before a lower one.
CREATE TABLE last_id (
  delivery bigint NOT NULL,
  deployment bigint NOT NULL
);

INSERT INTO last_id VALUES (0, 0);

CREATE TABLE host (
  name text PRIMARY KEY,
  worker text, -- the process that deploys on it; null after it stopped in order
  since timestamptz NOT NULL,
  seen_at timestamptz NOT NULL, -- when the worker renewed its lease
  version text NOT NULL DEFAULT '',
  targets text NOT NULL DEFAULT '[]', -- a JSON array of { name, releases }
  draining_since timestamptz
);

CREATE TABLE client (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  source text NOT NULL,
  address text NOT NULL,
  authorised_at bigint NOT NULL,
  expires_at bigint NOT NULL,
  UNIQUE (source, address)
);

CREATE TABLE delivery (
  id bigint PRIMARY KEY,
  source text NOT NULL,
  event text NOT NULL,
  event_name text,
  action text,
  status text NOT NULL,
  reason text,
  received_at bigint NOT NULL,
  client text NOT NULL,
  has_identity smallint NOT NULL, -- whether later ones are compared with it
  provider_id text,
  hook text,
  redelivery_of bigint,
  replay_of bigint,
  headers text NOT NULL, -- a JSON object
  decisions text, -- a JSON array of { target, deploy, code, reason }; null when the event is about no target
  other_targets integer NOT NULL,
  ci_commit text,
  ci text, -- a JSON object
  body_sha256 bytea NOT NULL, -- of the body as received
  body_encoding text NOT NULL CHECK (body_encoding IN ('plain', 'zstd')),
  body bytea NOT NULL
);

-- Bodies are compressed already.
ALTER TABLE delivery ALTER COLUMN body SET STORAGE EXTERNAL;

CREATE INDEX delivery_source_status ON delivery (source, status, id);
CREATE INDEX delivery_redelivery_of ON delivery (redelivery_of) WHERE redelivery_of IS NOT NULL;
CREATE INDEX delivery_replay_of ON delivery (replay_of) WHERE replay_of IS NOT NULL;
CREATE INDEX delivery_ci_commit ON delivery (ci_commit) WHERE ci_commit IS NOT NULL;

-- The targets that a delivery is about and does not deploy.
CREATE TABLE not_deployed (
  target text NOT NULL,
  delivery bigint NOT NULL,
  PRIMARY KEY (target, delivery)
);

CREATE INDEX not_deployed_delivery ON not_deployed (delivery);

-- The index of duplicates: keys of bodies and of senders' ids, see fingerprint.ts.
CREATE TABLE seen (
  key bigint NOT NULL,
  delivery bigint NOT NULL,
  PRIMARY KEY (key, delivery)
);

CREATE TABLE deployment (
  id bigint PRIMARY KEY,
  target text NOT NULL,
  host text NOT NULL,
  state text NOT NULL CHECK (
    state IN ('queued', 'running', 'succeeded', 'failed', 'superseded', 'cancelled', 'interrupted')
  ),
  code text,
  reason text,
  trigger text NOT NULL,
  delivery bigint,
  pushed_commit text,
  choice text CHECK (choice IN ('commit', 'ci', 'release')),
  chosen text CHECK (choice IS NULL OR choice = 'release' OR chosen IS NOT NULL),
  queue_all boolean NOT NULL DEFAULT false,
  attempt integer NOT NULL DEFAULT 1,
  retry_of bigint,
  superseded_by bigint,
  waits_for bigint, -- the deployment on the host before it, in a one-by-one rollout
  worker text, -- the process that claimed it
  cancel_reason text, -- set when a person cancelled it while it ran
  is_abandoned boolean NOT NULL DEFAULT false, -- another process marked it, and its host has not taken notice yet
  branch text,
  "commit" text,
  subject text,
  author text,
  commit_url text,
  previous_commit text,
  release text,
  created_at bigint NOT NULL,
  started_at bigint,
  ended_at bigint
);

CREATE INDEX deployment_target ON deployment (target, host, id);
CREATE INDEX deployment_delivery ON deployment (delivery) WHERE delivery IS NOT NULL;
CREATE INDEX deployment_queued ON deployment (target, host) WHERE state = 'queued';
CREATE INDEX deployment_waits_for ON deployment (waits_for) WHERE state = 'queued' AND waits_for IS NOT NULL;
CREATE INDEX deployment_is_abandoned ON deployment (host) WHERE is_abandoned;
-- Enforces that one deployment of a target runs at a time on a host.
CREATE UNIQUE INDEX deployment_running ON deployment (target, host) WHERE state = 'running';
CREATE INDEX deployment_state ON deployment (state, id)
  WHERE state IN ('succeeded', 'failed', 'cancelled', 'interrupted');
CREATE INDEX deployment_target_state ON deployment (target, state, id)
  WHERE state IN ('succeeded', 'failed', 'cancelled', 'interrupted');
CREATE INDEX deployment_tip ON deployment (target, host, id) WHERE "commit" IS NOT NULL AND choice IS NULL;
CREATE UNIQUE INDEX deployment_retry_of ON deployment (retry_of) WHERE retry_of IS NOT NULL;

CREATE TABLE step (
  deployment bigint NOT NULL REFERENCES deployment (id) ON DELETE CASCADE,
  position integer NOT NULL,
  command text NOT NULL,
  exit_code integer,
  signal text,
  milliseconds bigint NOT NULL,
  PRIMARY KEY (deployment, position)
);

CREATE TABLE live (
  target text NOT NULL,
  host text NOT NULL,
  "commit" text,
  release text,
  since bigint NOT NULL,
  deployment bigint NOT NULL UNIQUE REFERENCES deployment (id),
  PRIMARY KEY (target, host)
);

CREATE TABLE output (
  deployment bigint NOT NULL, -- without a foreign key, which would be checked for each line
  line integer NOT NULL, -- counted from 0, removed ones included
  size integer NOT NULL, -- what it counts, see output-extent.ts
  text text NOT NULL,
  PRIMARY KEY (deployment, line)
);

CREATE TABLE output_extent (
  deployment bigint PRIMARY KEY REFERENCES deployment (id) ON DELETE CASCADE,
  head_lines integer NOT NULL,
  head_bytes integer NOT NULL,
  tail_start integer NOT NULL,
  tail_bytes integer NOT NULL,
  next_line integer NOT NULL
);

CREATE TABLE lock (
  target text PRIMARY KEY,
  reason text NOT NULL,
  "by" text NOT NULL,
  since bigint NOT NULL,
  until bigint, -- null: never expires
  -- The newest delivery that it blocked, and how that would have been queued.
  delivery bigint,
  trigger text,
  pushed_commit text,
  placement text, -- a JSON object { hosts, rollout }
  CHECK ((delivery IS NULL) = (trigger IS NULL))
);

CREATE INDEX lock_delivery ON lock (delivery) WHERE delivery IS NOT NULL;

CREATE TABLE notification (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  channel text NOT NULL,
  deployment bigint NOT NULL REFERENCES deployment (id) ON DELETE CASCADE,
  kind text NOT NULL,
  attempts integer NOT NULL DEFAULT 0,
  created_at bigint NOT NULL,
  due_at bigint NOT NULL,
  worker text, -- the process that sends it, until `reserved_until`
  reserved_until timestamptz,
  UNIQUE (deployment, channel)
);

CREATE INDEX notification_due_at ON notification (due_at);

-- One row that is written to check whether the database can be written.
CREATE TABLE probe (
  at bigint NOT NULL
);

INSERT INTO probe VALUES (0);

CREATE TABLE published_ranges (
  list text PRIMARY KEY,
  ranges text NOT NULL, -- a JSON array of ranges in CIDR notation
  fetched_at bigint NOT NULL
);

-- The answers to the challenges of a certificate authority.
CREATE TABLE acme_challenge (
  token text PRIMARY KEY,
  answer text NOT NULL,
  stored_at timestamptz NOT NULL DEFAULT now()
);
