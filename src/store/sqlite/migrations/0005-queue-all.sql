-- Whether the deployment waits for its turn whatever is queued later (queue = "all").
ALTER TABLE deployment ADD COLUMN queue_all INTEGER NOT NULL DEFAULT 0 CHECK (queue_all IN (0, 1));
