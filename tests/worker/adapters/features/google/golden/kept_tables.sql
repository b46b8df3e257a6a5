CREATE TABLE IF NOT EXISTS `p.d.colony_state` AS SELECT CAST(0 AS INT64) AS write_sequence, CAST(0 AS INT64) AS epoch, CAST(0 AS INT64) AS accesses;

CREATE TABLE IF NOT EXISTS `p.d.colony_definitions` (name STRING NOT NULL, version INT64 NOT NULL, body STRING NOT NULL, column_name STRING, token STRING NOT NULL);

CREATE TABLE IF NOT EXISTS `p.d.colony_features` (name STRING NOT NULL, kept INT64 NOT NULL, newest_us INT64, written_us INT64);

CREATE TABLE IF NOT EXISTS `p.d.colony_retired` (name STRING NOT NULL, version INT64 NOT NULL, entity STRING NOT NULL, column_name STRING, token STRING NOT NULL);

CREATE TABLE IF NOT EXISTS `p.d.colony_writes` (batch STRING NOT NULL, feature STRING NOT NULL, base INT64 NOT NULL, added INT64 NOT NULL, newest_us INT64, written_at TIMESTAMP NOT NULL) PARTITION BY DATE(written_at) CLUSTER BY batch OPTIONS (partition_expiration_days = 31);

CREATE TABLE IF NOT EXISTS `p.d.colony_snapshots` (id STRING NOT NULL, part INT64 NOT NULL, parts INT64 NOT NULL, write_sequence INT64 NOT NULL, created_at TIMESTAMP NOT NULL, body BYTES NOT NULL) CLUSTER BY id;

CREATE TABLE IF NOT EXISTS `p.d.colony_usage` (feature STRING NOT NULL, caller STRING NOT NULL, purpose STRING NOT NULL, reads INT64 NOT NULL, last_us INT64 NOT NULL);

CREATE TABLE IF NOT EXISTS `p.d.colony_accessed` (feature STRING NOT NULL, minute_us INT64 NOT NULL, reads INT64 NOT NULL);

CREATE TABLE IF NOT EXISTS `p.d.colony_taken` (token STRING NOT NULL, number INT64 NOT NULL, feature STRING NOT NULL, minute_us INT64 NOT NULL, reads INT64 NOT NULL, taken_at TIMESTAMP NOT NULL) PARTITION BY DATE(taken_at) OPTIONS (partition_expiration_days = 7);

CREATE TABLE IF NOT EXISTS `p.d.colony_probe` (token STRING NOT NULL, written_at TIMESTAMP NOT NULL) PARTITION BY DATE(written_at) OPTIONS (partition_expiration_days = 1)
