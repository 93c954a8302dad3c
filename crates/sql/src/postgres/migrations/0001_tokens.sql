-- Run inside one transaction, with the namespace's schema first in the search path.

-- Text compares byte for byte; instants are microseconds since 1970.
CREATE TABLE tokens (
    id             bytea NOT NULL PRIMARY KEY,
    audit_id       text COLLATE "C" NOT NULL,
    audit_chain_id text COLLATE "C" NOT NULL,
    user_id        text COLLATE "C" NOT NULL,
    tenant_id      text COLLATE "C",
    domain_id      text COLLATE "C",
    trust_id       text COLLATE "C",
    consumer_id    text COLLATE "C",
    issued_at      bigint NOT NULL,
    expires_at     bigint NOT NULL,
    version        bigint NOT NULL,
    revoked_at     bigint,
    successor      bytea,
    data           bytea NOT NULL
);

-- One row: the store's own number. Each revocation changes it, so its old versions are removed soon
-- and without pauses.
CREATE TABLE store (
    id bigint NOT NULL PRIMARY KEY
) WITH (
    autovacuum_vacuum_threshold = 50,
    autovacuum_vacuum_scale_factor = 0,
    autovacuum_vacuum_cost_delay = 0
);

-- What has expired is removed in this order.
CREATE INDEX tokens_expiry ON tokens (expires_at, id);

-- An anchor's active tokens are paged in the order of their ids.
CREATE INDEX tokens_user ON tokens (user_id, id) WHERE revoked_at IS NULL;
CREATE INDEX tokens_tenant ON tokens (tenant_id, id) WHERE revoked_at IS NULL AND tenant_id IS NOT NULL;
CREATE INDEX tokens_domain ON tokens (domain_id, id) WHERE revoked_at IS NULL AND domain_id IS NOT NULL;
CREATE INDEX tokens_trust ON tokens (trust_id, id) WHERE revoked_at IS NULL AND trust_id IS NOT NULL;
CREATE INDEX tokens_consumer ON tokens (consumer_id, id) WHERE revoked_at IS NULL AND consumer_id IS NOT NULL;
