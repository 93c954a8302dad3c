-- "TkKp": what tells the file from another program's.
PRAGMA application_id = 1416317808;

-- A rowid table: rows lie in the order of their creation, which is nearly that of their expiry, so
-- that a flush touches few pages of it.
CREATE TABLE tokens (
    id BLOB NOT NULL PRIMARY KEY,
    audit_id TEXT NOT NULL,
    audit_chain_id TEXT NOT NULL,
    user_id TEXT NOT NULL,
    tenant_id TEXT,
    domain_id TEXT,
    trust_id TEXT,
    consumer_id TEXT,
    issued_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,
    version INTEGER NOT NULL,
    revoked_at INTEGER,
    successor BLOB,
    data BLOB NOT NULL
);

CREATE INDEX tokens_by_expiry ON tokens (expires_at, id);
CREATE INDEX tokens_by_user ON tokens (user_id, id) WHERE revoked_at IS NULL;
CREATE INDEX tokens_by_tenant ON tokens (tenant_id, id)
    WHERE revoked_at IS NULL AND tenant_id IS NOT NULL;
CREATE INDEX tokens_by_domain ON tokens (domain_id, id)
    WHERE revoked_at IS NULL AND domain_id IS NOT NULL;
CREATE INDEX tokens_by_trust ON tokens (trust_id, id)
    WHERE revoked_at IS NULL AND trust_id IS NOT NULL;
CREATE INDEX tokens_by_consumer ON tokens (consumer_id, id)
    WHERE revoked_at IS NULL AND consumer_id IS NOT NULL;

-- One row: what the store is.
CREATE TABLE store (
    only INTEGER NOT NULL PRIMARY KEY CHECK (only = 1),
    id INTEGER NOT NULL
);

CREATE TABLE migrations (
    version INTEGER NOT NULL PRIMARY KEY,
    name TEXT NOT NULL,
    applied_at INTEGER NOT NULL
);
