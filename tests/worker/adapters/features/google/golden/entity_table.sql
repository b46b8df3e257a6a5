CREATE TABLE IF NOT EXISTS `p.d.entity_user` (entity_id STRING NOT NULL, feature_timestamp TIMESTAMP NOT NULL, known_at TIMESTAMP NOT NULL, serving_timestamp TIMESTAMP NOT NULL, write_sequence INT64 NOT NULL) PARTITION BY DATE(feature_timestamp) CLUSTER BY entity_id;

ALTER TABLE `p.d.entity_user` ADD COLUMN IF NOT EXISTS `karma` FLOAT64, ADD COLUMN IF NOT EXISTS `karma__state` STRING;

ALTER TABLE `p.d.entity_user` DROP COLUMN IF EXISTS `karma`, DROP COLUMN IF EXISTS `karma__state`
