-- The targets that a delivery was about and did not deploy: by these it is found in the list of a target. One that is
-- deployed is found by its deployment, so that no accept writes both, but for what a lock held back.
CREATE TABLE undeployed (
  target TEXT NOT NULL,
  delivery INTEGER NOT NULL REFERENCES delivery (id) ON DELETE CASCADE,
  PRIMARY KEY (target, delivery)
) STRICT, WITHOUT ROWID;

-- Without it, removing a delivery would read all of them. An accept writes its last page only.
CREATE INDEX undeployed_delivery ON undeployed (delivery);

INSERT INTO undeployed SELECT target, delivery FROM lock WHERE delivery IS NOT NULL;
