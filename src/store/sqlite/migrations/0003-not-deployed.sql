-- The targets that a delivery was about and did not deploy, for the list of a target's deliveries. The others are found
-- by their deployments, so that an accept writes one or the other; only a blocked delivery can have both.
CREATE TABLE undeployed (
  target TEXT NOT NULL,
  delivery INTEGER NOT NULL REFERENCES delivery (id) ON DELETE CASCADE,
  PRIMARY KEY (target, delivery)
) STRICT, WITHOUT ROWID;

-- Without it, removing a delivery would read all rows. An accept writes only its last page.
CREATE INDEX undeployed_delivery ON undeployed (delivery);

INSERT INTO undeployed SELECT target, delivery FROM lock WHERE delivery IS NOT NULL;
