CREATE TABLE IF NOT EXISTS tokens (
    id BINARY(32) NOT NULL PRIMARY KEY,
    audit_id VARBINARY(255) NOT NULL,
    audit_chain_id VARBINARY(255) NOT NULL,
    user_id VARBINARY(255) NOT NULL,
    tenant_id VARBINARY(255),
    domain_id VARBINARY(255),
    trust_id VARBINARY(255),
    consumer_id VARBINARY(255),
    issued_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL,
    version BIGINT NOT NULL,
    revoked_at BIGINT,
    successor BINARY(32),
    data LONGBLOB NOT NULL,
    KEY tokens_expiry (expires_at, id),
    KEY tokens_trust (trust_id, id),
    KEY tokens_user (user_id, id),
    KEY tokens_consumer (consumer_id, id),
    KEY tokens_tenant (tenant_id, id),
    KEY tokens_domain (domain_id, id)
) ENGINE = InnoDB ROW_FORMAT = DYNAMIC;

CREATE TABLE IF NOT EXISTS store (
    one TINYINT NOT NULL PRIMARY KEY,
    id BIGINT NOT NULL
) ENGINE = InnoDB ROW_FORMAT = DYNAMIC;
