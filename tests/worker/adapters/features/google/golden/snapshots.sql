INSERT INTO `p.d.colony_snapshots` (id, part, parts, write_sequence, created_at, body) SELECT @id, offered.part, @parts, @sequence, TIMESTAMP_MICROS(@now), offered.body FROM (SELECT item.* FROM `p.d_staging.rows_1` AS item) AS offered WHERE NOT EXISTS (SELECT 1 FROM `p.d.colony_snapshots` AS s WHERE s.id = @id);

SELECT COUNT(*) FROM `p.d.colony_snapshots` WHERE id = @id;

SELECT write_sequence, part, parts, body FROM `p.d.colony_snapshots` WHERE id = @id
