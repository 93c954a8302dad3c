ALTER TABLE tokens
    ADD COLUMN revocation BIGINT,
    ADD KEY tokens_feed (revocation);

ALTER TABLE store
    ADD COLUMN revocations BIGINT NOT NULL DEFAULT 0;

UPDATE tokens
    JOIN (
        SELECT id, ROW_NUMBER() OVER (ORDER BY revoked_at, id) AS place
        FROM tokens
        WHERE revoked_at IS NOT NULL
    ) AS feed ON feed.id = tokens.id
    SET tokens.revocation = feed.place;

UPDATE store
    SET revocations = (SELECT COUNT(*) FROM tokens WHERE revoked_at IS NOT NULL)
    WHERE one = 1;
