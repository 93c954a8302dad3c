-- Run inside one transaction, with the namespace's schema first in the search path.

-- How many places the feed of revocations has given.
ALTER TABLE store ADD COLUMN revocations bigint NOT NULL DEFAULT 0;

-- A revoked token's place in the feed.
ALTER TABLE tokens ADD COLUMN revocation bigint;

UPDATE tokens SET revocation = ranked.place
FROM (
    SELECT id, row_number() OVER (ORDER BY revoked_at, id) AS place
    FROM tokens WHERE revoked_at IS NOT NULL
) AS ranked
WHERE tokens.id = ranked.id;

UPDATE store SET revocations = (SELECT count(*) FROM tokens WHERE revocation IS NOT NULL);

-- Not unique: places are unique by the lock on the store's row, and a constraint across shards
-- would keep the table from being distributed by id.
CREATE INDEX tokens_feed ON tokens (revocation) WHERE revocation IS NOT NULL;
