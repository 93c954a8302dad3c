ALTER TABLE tokens ADD COLUMN revocation INTEGER;
ALTER TABLE store ADD COLUMN revocations INTEGER NOT NULL DEFAULT 0;

UPDATE tokens SET revocation = place.nth
FROM (
    SELECT id AS target, row_number() OVER (ORDER BY revoked_at, id) AS nth
    FROM tokens WHERE revoked_at IS NOT NULL
) AS place
WHERE tokens.id = place.target;

UPDATE store SET revocations = (SELECT count(revocation) FROM tokens);

CREATE UNIQUE INDEX tokens_feed ON tokens (revocation) WHERE revocation IS NOT NULL;

-- Keeps the count of places in step, so that a revocation is one statement with a commit of its own.
CREATE TRIGGER tokens_take_a_place AFTER UPDATE OF revocation ON tokens
WHEN new.revocation IS NOT NULL
BEGIN
    UPDATE store SET revocations = new.revocation WHERE revocations < new.revocation;
END;
