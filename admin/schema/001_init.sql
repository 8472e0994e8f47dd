-- The first schema.  MariaDB 10.11 and MySQL 8 in their common subset.
-- tenant_id comes first in every key of a tenant's data.  Times are Unix
-- milliseconds (BIGINT) unless the name ends in _s (Unix seconds).  Names
-- compare by bytes: two devices may differ in case alone.

CREATE TABLE IF NOT EXISTS setting (
    name        VARCHAR(64) NOT NULL PRIMARY KEY,
    value       VARBINARY(4096) NOT NULL
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

CREATE TABLE IF NOT EXISTS tenant (
    id          INT UNSIGNED NOT NULL AUTO_INCREMENT PRIMARY KEY,
    name        VARCHAR(128) NOT NULL UNIQUE,
    title       VARCHAR(256) NOT NULL DEFAULT '',
    auth        TINYINT UNSIGNED NOT NULL DEFAULT 6,
    brake       TINYINT UNSIGNED NOT NULL DEFAULT 0,
    token_flags TINYINT UNSIGNED NOT NULL DEFAULT 0,
    ip4_plen    TINYINT UNSIGNED NOT NULL DEFAULT 24,
    ip6_plen    TINYINT UNSIGNED NOT NULL DEFAULT 48,
    approve_above INT UNSIGNED NOT NULL DEFAULT 0,
    signer_pub  VARBINARY(32) NULL,
    signer_sec  VARBINARY(60) NULL,         -- sealed; NULL: signed offline
    signer_kid  SMALLINT UNSIGNED NOT NULL DEFAULT 1,
    created     BIGINT NOT NULL
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

CREATE TABLE IF NOT EXISTS tenant_gateway (
    tenant_id   INT UNSIGNED NOT NULL,
    id          INT UNSIGNED NOT NULL AUTO_INCREMENT,
    name        VARCHAR(128) NOT NULL,
    token_sha256 BINARY(32) NOT NULL,
    created     BIGINT NOT NULL,
    PRIMARY KEY (tenant_id, id), KEY (id)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

CREATE TABLE IF NOT EXISTS tenant_issuer (
    tenant_id   INT UNSIGNED NOT NULL,
    dn          VARCHAR(512) NOT NULL,      -- RFC 2253
    PRIMARY KEY (tenant_id, dn)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

CREATE TABLE IF NOT EXISTS tenant_default_node (
    tenant_id   INT UNSIGNED NOT NULL,
    country     VARCHAR(4) NOT NULL,        -- JP, -AS, *
    node_id     INT UNSIGNED NOT NULL,
    PRIMARY KEY (tenant_id, country, node_id)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

CREATE TABLE IF NOT EXISTS product (
    tenant_id   INT UNSIGNED NOT NULL,
    id          INT UNSIGNED NOT NULL AUTO_INCREMENT,
    name        VARCHAR(128) NOT NULL,
    title       VARCHAR(256) NOT NULL DEFAULT '',
    brake       TINYINT UNSIGNED NOT NULL DEFAULT 0,
    poll_s      INT UNSIGNED NOT NULL DEFAULT 3600,
    retry_min_s INT UNSIGNED NOT NULL DEFAULT 30,
    retry_max_s INT UNSIGNED NOT NULL DEFAULT 3600,
    retry_count SMALLINT UNSIGNED NOT NULL DEFAULT 5,
    install_window VARCHAR(256) NOT NULL DEFAULT '',
    auto_register TINYINT NOT NULL DEFAULT 1,
    test_group  INT UNSIGNED NOT NULL DEFAULT 0,
    created     BIGINT NOT NULL,
    PRIMARY KEY (tenant_id, id), KEY (id), UNIQUE KEY (tenant_id, name)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

CREATE TABLE IF NOT EXISTS device (
    id          BIGINT UNSIGNED NOT NULL AUTO_INCREMENT PRIMARY KEY,
    tenant_id   INT UNSIGNED NOT NULL,
    product_id  INT UNSIGNED NOT NULL,
    ext_id      VARCHAR(256) NOT NULL,      -- id unique in the tenant
    version     VARCHAR(128) NULL,
    version_key VARBINARY(512) NULL,        -- fota_version_key
    kind        VARCHAR(8) NULL,
    country     VARCHAR(4) NULL,
    continent   VARCHAR(4) NULL,
    region_code VARCHAR(12) NULL,
    region      VARCHAR(64) NULL,
    city        VARCHAR(64) NULL,
    country_id  INT UNSIGNED NOT NULL DEFAULT 0,    -- GeoNames, 0: unknown
    region_id   INT UNSIGNED NOT NULL DEFAULT 0,
    city_id     INT UNSIGNED NOT NULL DEFAULT 0,
    tz          VARCHAR(48) NULL,
    asn         INT UNSIGNED NULL,
    blocked     TINYINT NOT NULL DEFAULT 0,
    test        TINYINT NOT NULL DEFAULT 0,
    pin         VARCHAR(128) NULL,
    token_sha256 BINARY(32) NULL,
    last_reason VARCHAR(24) NULL,
    created     BIGINT NOT NULL,
    UNIQUE KEY (tenant_id, ext_id),
    KEY (tenant_id, product_id, version),
    KEY (tenant_id, country, city)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

-- Apart from the device row, because it moves with every poll.
CREATE TABLE IF NOT EXISTS device_seen (
    device_id   BIGINT UNSIGNED NOT NULL PRIMARY KEY,
    seen        BIGINT NOT NULL,
    node_id     INT UNSIGNED NOT NULL DEFAULT 0
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

CREATE TABLE IF NOT EXISTS device_attr (
    device_id   BIGINT UNSIGNED NOT NULL,
    name        VARCHAR(128) NOT NULL,
    value       VARCHAR(256) NOT NULL,
    value_num   DOUBLE NULL,                -- fota_filter_number
    operator_set TINYINT NOT NULL DEFAULT 0,
    PRIMARY KEY (device_id, name)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

CREATE TABLE IF NOT EXISTS device_group (
    tenant_id   INT UNSIGNED NOT NULL,
    id          INT UNSIGNED NOT NULL AUTO_INCREMENT,
    name        VARCHAR(128) NOT NULL,
    filter      VARCHAR(4096) NULL,         -- NULL: static members
    members     BIGINT UNSIGNED NOT NULL DEFAULT 0,
    created     BIGINT NOT NULL,
    PRIMARY KEY (tenant_id, id), KEY (id), UNIQUE KEY (tenant_id, name)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

CREATE TABLE IF NOT EXISTS group_member (
    group_id    INT UNSIGNED NOT NULL,
    device_id   BIGINT UNSIGNED NOT NULL,
    PRIMARY KEY (group_id, device_id),
    KEY (device_id)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

CREATE TABLE IF NOT EXISTS firmware (
    tenant_id   INT UNSIGNED NOT NULL,
    id          INT UNSIGNED NOT NULL AUTO_INCREMENT,
    product_id  INT UNSIGNED NOT NULL,
    kind        VARCHAR(8) NOT NULL DEFAULT 'os',
    version     VARCHAR(128) NOT NULL,
    version_key VARBINARY(512) NOT NULL,
    release_order INT NULL,                 -- NULL: by version
    must_pass   TINYINT NOT NULL DEFAULT 0,
    withdrawn   TINYINT NOT NULL DEFAULT 0,
    notes       TEXT NULL,
    created     BIGINT NOT NULL,
    PRIMARY KEY (tenant_id, id), KEY (id),
    UNIQUE KEY (tenant_id, product_id, kind, version)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

CREATE TABLE IF NOT EXISTS artifact (
    tenant_id   INT UNSIGNED NOT NULL,
    id          INT UNSIGNED NOT NULL AUTO_INCREMENT,
    product_id  INT UNSIGNED NOT NULL,
    firmware_id INT UNSIGNED NOT NULL,      -- to
    from_id     INT UNSIGNED NOT NULL DEFAULT 0,    -- 0: full
    sha256      BINARY(32) NOT NULL,
    size        BIGINT UNSIGNED NOT NULL,
    format      VARCHAR(32) NOT NULL DEFAULT 'raw',
    name        VARCHAR(128) NOT NULL,
    requires    VARCHAR(4096) NOT NULL DEFAULT '',
    sig         BINARY(64) NULL,            -- NULL: not yet signed, not offered
    sig_kid     SMALLINT UNSIGNED NOT NULL DEFAULT 0,
    published   BIGINT NOT NULL,
    PRIMARY KEY (tenant_id, id), KEY (id), KEY (sha256),
    UNIQUE KEY (tenant_id, firmware_id, from_id, format, sha256)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

CREATE TABLE IF NOT EXISTS upload (
    tenant_id   INT UNSIGNED NOT NULL,
    id          CHAR(32) NOT NULL,
    name        VARCHAR(128) NOT NULL,
    size        BIGINT UNSIGNED NOT NULL,
    sha256      BINARY(32) NOT NULL,        -- what the client says
    received    BIGINT UNSIGNED NOT NULL DEFAULT 0,
    hash_state  VARBINARY(128) NULL,
    state       VARCHAR(12) NOT NULL DEFAULT 'open',  -- open, complete, failed
    created     BIGINT NOT NULL,
    touched     BIGINT NOT NULL DEFAULT 0,  -- last bytes, for cleaning
    PRIMARY KEY (tenant_id, id)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

CREATE TABLE IF NOT EXISTS rollout (
    tenant_id   INT UNSIGNED NOT NULL,
    id          INT UNSIGNED NOT NULL AUTO_INCREMENT,
    product_id  INT UNSIGNED NOT NULL,
    name        VARCHAR(128) NOT NULL,
    kind        VARCHAR(8) NOT NULL DEFAULT 'os',
    state       VARCHAR(12) NOT NULL DEFAULT 'draft',
        -- draft, pending (approval), ready, running, paused, stopped, finished
    state_reason VARCHAR(256) NOT NULL DEFAULT '',
    target_id   INT UNSIGNED NOT NULL DEFAULT 0,    -- firmware, 0: latest
    strategy    VARCHAR(12) NOT NULL DEFAULT 'auto',
    weight      INT NOT NULL DEFAULT 0,
    salt        BIGINT UNSIGNED NOT NULL,
    filter      VARCHAR(4096) NOT NULL DEFAULT '',
    sources     TEXT NULL,                  -- JSON list of version patterns
    geo_include TEXT NULL,                  -- JSON lists of scope entries
    geo_exclude TEXT NULL,
    geo_unknown VARCHAR(5) NOT NULL DEFAULT 'deny',
    windows     TEXT NULL,                  -- JSON list of window texts
    time_mode   VARCHAR(8) NOT NULL DEFAULT 'device',
    zone        VARCHAR(64) NOT NULL DEFAULT '',
    start_s     BIGINT NOT NULL DEFAULT 0,
    end_s       BIGINT NOT NULL DEFAULT 0,
    allow_downgrade TINYINT NOT NULL DEFAULT 0,
    require_fresh TINYINT NOT NULL DEFAULT 0,
    max_attempts SMALLINT UNSIGNED NOT NULL DEFAULT 3,
    max_active  INT UNSIGNED NOT NULL DEFAULT 0,    -- whole fleet
    max_bps     BIGINT UNSIGNED NOT NULL DEFAULT 0,
    rate_class  TINYINT UNSIGNED NOT NULL DEFAULT 0,
    dispersion  SMALLINT UNSIGNED NOT NULL DEFAULT 8,
    token_ttl_s INT UNSIGNED NOT NULL DEFAULT 0,
    brake       TINYINT UNSIGNED NOT NULL DEFAULT 0,
    stage       SMALLINT UNSIGNED NOT NULL DEFAULT 0,       -- running stage
    stage_since BIGINT NOT NULL DEFAULT 0,
    rollback_of INT UNSIGNED NOT NULL DEFAULT 0,
    created_by  VARCHAR(160) NOT NULL DEFAULT '',
    approved_by VARCHAR(160) NULL,
    created     BIGINT NOT NULL,
    started     BIGINT NOT NULL DEFAULT 0,
    finished    BIGINT NOT NULL DEFAULT 0,
    PRIMARY KEY (tenant_id, id), KEY (id), KEY (tenant_id, product_id, state),
    KEY (state)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

CREATE TABLE IF NOT EXISTS rollout_stage (
    rollout_id  INT UNSIGNED NOT NULL,
    n           SMALLINT UNSIGNED NOT NULL, -- from 0
    permille    SMALLINT UNSIGNED NOT NULL, -- 0..10000 of the stage hash
    test_group  INT UNSIGNED NOT NULL DEFAULT 0,
    test_only   TINYINT NOT NULL DEFAULT 0,
    success_pct DECIMAL(5,2) NOT NULL DEFAULT 0,    -- to go on; 0: at once
    error_pct   DECIMAL(5,2) NOT NULL DEFAULT 0,    -- to pause; 0: never
    min_count   INT UNSIGNED NOT NULL DEFAULT 1,
    soak_s      INT UNSIGNED NOT NULL DEFAULT 0,
    auto_next   TINYINT NOT NULL DEFAULT 1,
    PRIMARY KEY (rollout_id, n)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

-- Latest state per rollout and device, and counters moved with it in the
-- same transaction: every device is in exactly one bucket.
CREATE TABLE IF NOT EXISTS rollout_device (
    rollout_id  INT UNSIGNED NOT NULL,
    device_id   BIGINT UNSIGNED NOT NULL,
    state       VARCHAR(12) NOT NULL,
        -- offered, downloading, installing, succeeded, failed, skipped
    stage       SMALLINT UNSIGNED NOT NULL DEFAULT 0,
    attempt     SMALLINT UNSIGNED NOT NULL DEFAULT 0,
    seq         INT UNSIGNED NOT NULL DEFAULT 0,
    attempts_failed SMALLINT UNSIGNED NOT NULL DEFAULT 0,
    delta_failed TINYINT NOT NULL DEFAULT 0,
    progress    TINYINT UNSIGNED NOT NULL DEFAULT 0,
    from_version VARCHAR(128) NULL,
    error_code  VARCHAR(64) NULL,
    changed     BIGINT NOT NULL,
    PRIMARY KEY (rollout_id, device_id),
    KEY (rollout_id, state, error_code),
    KEY (device_id)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

CREATE TABLE IF NOT EXISTS rollout_counter (
    rollout_id  INT UNSIGNED NOT NULL,
    stage       SMALLINT UNSIGNED NOT NULL,
    state       VARCHAR(12) NOT NULL,
    devices     BIGINT NOT NULL DEFAULT 0,
    PRIMARY KEY (rollout_id, stage, state)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

CREATE TABLE IF NOT EXISTS rollout_bytes (
    rollout_id  INT UNSIGNED NOT NULL,
    node_id     INT UNSIGNED NOT NULL,
    delivered   BIGINT UNSIGNED NOT NULL DEFAULT 0,
    sent        BIGINT UNSIGNED NOT NULL DEFAULT 0,
    requests    BIGINT UNSIGNED NOT NULL DEFAULT 0,
    PRIMARY KEY (rollout_id, node_id)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

CREATE TABLE IF NOT EXISTS node_group (
    id          SMALLINT UNSIGNED NOT NULL PRIMARY KEY,     -- token scope
    name        VARCHAR(128) NOT NULL UNIQUE,
    wrap_key    VARBINARY(60) NOT NULL      -- sealed; group 0 = every edge
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

CREATE TABLE IF NOT EXISTS node (
    id          INT UNSIGNED NOT NULL AUTO_INCREMENT PRIMARY KEY,
    name        VARCHAR(128) NOT NULL UNIQUE,       -- CN of its certificate
    group_id    SMALLINT UNSIGNED NOT NULL DEFAULT 1,
    site        VARCHAR(128) NOT NULL DEFAULT '',
    url         VARCHAR(256) NOT NULL,
    state       VARCHAR(8) NOT NULL DEFAULT 'up',   -- up, drain, down
    families    TINYINT UNSIGNED NOT NULL DEFAULT 3,
    scope       VARCHAR(12) NOT NULL DEFAULT 'any',
    weight      INT UNSIGNED NOT NULL DEFAULT 100,
    cap_mbps    INT UNSIGNED NOT NULL DEFAULT 1000,
    lat         DOUBLE NOT NULL DEFAULT 0,
    lon         DOUBLE NOT NULL DEFAULT 0,
    country     VARCHAR(4) NOT NULL DEFAULT '',
    continent   VARCHAR(4) NOT NULL DEFAULT '',
    city        VARCHAR(64) NOT NULL DEFAULT '',
    asns        VARCHAR(1024) NOT NULL DEFAULT '',  -- comma list
    tenants     VARCHAR(1024) NOT NULL DEFAULT '',  -- ids; empty: all
    excluded    VARCHAR(1024) NOT NULL DEFAULT '',  -- countries
    created     BIGINT NOT NULL
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

-- What its agent says; apart from the node row, because it moves.
CREATE TABLE IF NOT EXISTS node_status (
    node_id     INT UNSIGNED NOT NULL PRIMARY KEY,
    epoch       BIGINT UNSIGNED NOT NULL DEFAULT 0,
    seq         BIGINT UNSIGNED NOT NULL DEFAULT 0,
    acked       BIGINT UNSIGNED NOT NULL DEFAULT 0,
    load_pct    TINYINT UNSIGNED NOT NULL DEFAULT 0,
    health_pct  TINYINT UNSIGNED NOT NULL DEFAULT 100,
    egress_bps  BIGINT UNSIGNED NOT NULL DEFAULT 0,
    disk_free   BIGINT UNSIGNED NOT NULL DEFAULT 0,
    spool_records BIGINT UNSIGNED NOT NULL DEFAULT 0,
    artifacts   INT UNSIGNED NOT NULL DEFAULT 0,
    version     VARCHAR(64) NOT NULL DEFAULT '',
    error       VARCHAR(512) NOT NULL DEFAULT '',
    nack_seq    BIGINT UNSIGNED NOT NULL DEFAULT 0,
    seen        BIGINT NOT NULL DEFAULT 0
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

-- Secrets: sealed with the master key file of the centre.
CREATE TABLE IF NOT EXISTS secret_key (
    kind        TINYINT UNSIGNED NOT NULL,  -- fota_key_kind_e, 100 = sync
    scope       INT UNSIGNED NOT NULL,
    kid         SMALLINT UNSIGNED NOT NULL,
    state       TINYINT UNSIGNED NOT NULL,  -- fota_key_state_e
    secret      VARBINARY(128) NOT NULL,
    public_key  VARBINARY(32) NULL,
    created     BIGINT NOT NULL,
    PRIMARY KEY (kind, scope, kid)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

CREATE TABLE IF NOT EXISTS deny (
    kind        TINYINT UNSIGNED NOT NULL,
    id          BINARY(8) NOT NULL,
    not_before_s BIGINT NOT NULL,
    cut         TINYINT NOT NULL DEFAULT 0,
    tenant_id   INT UNSIGNED NOT NULL DEFAULT 0,    -- who may see and lift it
    subject     VARCHAR(256) NOT NULL DEFAULT '',   -- name, for people
    created     BIGINT NOT NULL,
    PRIMARY KEY (kind, id), KEY (tenant_id)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

CREATE TABLE IF NOT EXISTS geoprefix (
    prefix      VARCHAR(64) NOT NULL PRIMARY KEY,
    location    VARCHAR(1024) NULL,         -- JSON
    node_group  SMALLINT UNSIGNED NOT NULL DEFAULT 0
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

CREATE TABLE IF NOT EXISTS api_token (
    id          INT UNSIGNED NOT NULL AUTO_INCREMENT PRIMARY KEY,
    tenant_id   INT UNSIGNED NOT NULL DEFAULT 0,    -- 0: the platform
    name        VARCHAR(128) NOT NULL,
    token_sha256 BINARY(32) NOT NULL UNIQUE,
    permissions VARCHAR(1024) NOT NULL,     -- comma list, or *
    expires     BIGINT NOT NULL DEFAULT 0,
    revoked     BIGINT NOT NULL DEFAULT 0,
    last_used   BIGINT NOT NULL DEFAULT 0,
    created     BIGINT NOT NULL
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

-- Outbox: what changed, not how; the sequencer renders the record from the
-- committed state, so it can never publish an older one over a newer.
CREATE TABLE IF NOT EXISTS outbox (
    id          BIGINT UNSIGNED NOT NULL AUTO_INCREMENT PRIMARY KEY,
    tbl         TINYINT UNSIGNED NOT NULL,  -- fota_table_e
    tenant_id   INT UNSIGNED NOT NULL DEFAULT 0,
    object_id   BIGINT UNSIGNED NOT NULL DEFAULT 0,
    key_bytes   VARBINARY(264) NULL,        -- of an object that is gone
    created     BIGINT NOT NULL
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

CREATE TABLE IF NOT EXISTS feed (
    id          TINYINT UNSIGNED NOT NULL PRIMARY KEY,      -- always 1
    epoch       BIGINT UNSIGNED NOT NULL,
    seq         BIGINT UNSIGNED NOT NULL,
    chain       BINARY(32) NOT NULL,
    floor       BIGINT UNSIGNED NOT NULL DEFAULT 0  -- oldest seq kept - 1
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

CREATE TABLE IF NOT EXISTS change_log (
    seq         BIGINT UNSIGNED NOT NULL PRIMARY KEY,
    op          TINYINT UNSIGNED NOT NULL,
    tbl         TINYINT UNSIGNED NOT NULL,
    key_bytes   VARBINARY(264) NOT NULL,
    value_bytes MEDIUMBLOB NOT NULL,
    chain       BINARY(32) NOT NULL,
    ts          BIGINT NOT NULL,
    KEY (ts)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

-- The sum of the log: what a snapshot holds.
CREATE TABLE IF NOT EXISTS policy_state (
    tbl         TINYINT UNSIGNED NOT NULL,
    key_bytes   VARBINARY(264) NOT NULL,
    value_bytes MEDIUMBLOB NOT NULL,
    seq         BIGINT UNSIGNED NOT NULL,
    PRIMARY KEY (tbl, key_bytes)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

CREATE TABLE IF NOT EXISTS ingest_batch (
    node_id     INT UNSIGNED NOT NULL,
    idem_key    VARBINARY(160) NOT NULL,
    answer      MEDIUMTEXT NOT NULL,
    created     BIGINT NOT NULL,
    PRIMARY KEY (node_id, idem_key), KEY (created)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

-- A device's retry through another edge has the same id and counts once.
CREATE TABLE IF NOT EXISTS report_event (
    device_id   BIGINT UNSIGNED NOT NULL,
    ts          BIGINT NOT NULL,            -- received at the edge
    report_id   BINARY(16) NOT NULL,
    rollout_id  INT UNSIGNED NOT NULL,
    attempt     SMALLINT UNSIGNED NOT NULL,
    seq         INT UNSIGNED NOT NULL,
    state       VARCHAR(12) NOT NULL,
    progress    TINYINT UNSIGNED NOT NULL DEFAULT 0,
    version     VARCHAR(128) NULL,
    node_id     INT UNSIGNED NOT NULL DEFAULT 0,
    bytes       BIGINT UNSIGNED NOT NULL DEFAULT 0,
    ms          BIGINT UNSIGNED NOT NULL DEFAULT 0,
    error_code  VARCHAR(64) NULL,
    error_text  VARCHAR(512) NULL,
    PRIMARY KEY (device_id, ts, report_id)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin
  PARTITION BY RANGE (ts) (PARTITION pmax VALUES LESS THAN MAXVALUE);

CREATE TABLE IF NOT EXISTS report_seen (
    report_id   BINARY(16) NOT NULL PRIMARY KEY,
    ts          BIGINT NOT NULL,
    KEY (ts)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

CREATE TABLE IF NOT EXISTS audit_log (
    id          BIGINT UNSIGNED NOT NULL AUTO_INCREMENT PRIMARY KEY,
    tenant_id   INT UNSIGNED NOT NULL,
    ts          BIGINT NOT NULL,
    actor       VARCHAR(160) NOT NULL,
    address     VARCHAR(64) NOT NULL,
    request_id  CHAR(32) NOT NULL,
    action      VARCHAR(64) NOT NULL,
    object      VARCHAR(288) NOT NULL,
    before_json MEDIUMTEXT NULL,
    after_json  MEDIUMTEXT NULL,
    chain       BINARY(32) NOT NULL,
    KEY (tenant_id, ts)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

-- End of the audit log's hash chain; locked by every writer, so that the
-- order of the rows is the order of the chain.
CREATE TABLE IF NOT EXISTS audit_head (
    id          TINYINT UNSIGNED NOT NULL PRIMARY KEY,      -- always 1
    chain       BINARY(32) NOT NULL,
    last_id     BIGINT UNSIGNED NOT NULL DEFAULT 0
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

INSERT IGNORE INTO audit_head (id, chain) VALUES (1, REPEAT(CHAR(0), 32));
