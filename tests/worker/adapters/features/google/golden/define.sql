SELECT s.write_sequence, s.epoch, d.name, d.version, d.body, d.column_name, f.kept FROM `p.d.colony_state` AS s LEFT JOIN (SELECT *, TRUE AS changed FROM `p.d.colony_definitions`) AS d ON d.changed = (s.epoch != @known) LEFT JOIN `p.d.colony_features` AS f ON f.name = d.name;

SELECT MAX(v.version) FROM (SELECT version, name FROM `p.d.colony_definitions` UNION ALL SELECT version, name FROM `p.d.colony_retired`) AS v WHERE v.name = @name;

UPDATE `p.d.colony_state` SET accesses = accesses WHERE epoch = @epoch AND write_sequence = @sequence;

INSERT INTO `p.d.colony_definitions` (name, version, body, column_name, token) SELECT @name, @version, @body, @column, @token FROM `p.d.colony_state` AS s WHERE s.epoch = @epoch AND s.write_sequence = @sequence;

INSERT INTO `p.d.colony_features` (name, kept) SELECT d.name, 0 FROM `p.d.colony_definitions` AS d LEFT JOIN `p.d.colony_features` AS f ON f.name = d.name WHERE d.token = @token AND f.name IS NULL;

UPDATE `p.d.colony_state` SET epoch = epoch + 1 WHERE epoch = @epoch;

UPDATE `p.d.colony_state` SET accesses = accesses WHERE epoch = @epoch;

UPDATE `p.d.colony_definitions` SET body = @body, token = @token WHERE name = @name AND version = @version AND EXISTS (SELECT 1 FROM `p.d.colony_state` AS s WHERE s.epoch = @epoch);

UPDATE `p.d.colony_state` SET epoch = epoch + 1 WHERE epoch = @epoch;

UPDATE `p.d.colony_state` SET accesses = accesses WHERE epoch = @epoch;

INSERT INTO `p.d.colony_retired` (name, version, entity, column_name, token) SELECT @name, @version, @entity, @column, @token FROM `p.d.colony_state` AS s WHERE s.epoch = @epoch;

DELETE FROM `p.d.colony_definitions` WHERE name = @name AND EXISTS (SELECT 1 FROM `p.d.colony_retired` AS r WHERE r.token = @token);

DELETE FROM `p.d.colony_features` WHERE name = @name AND EXISTS (SELECT 1 FROM `p.d.colony_retired` AS r WHERE r.token = @token);

DELETE FROM `p.d.colony_usage` WHERE feature = @name AND EXISTS (SELECT 1 FROM `p.d.colony_retired` AS r WHERE r.token = @token);

DELETE FROM `p.d.colony_accessed` WHERE feature = @name AND EXISTS (SELECT 1 FROM `p.d.colony_retired` AS r WHERE r.token = @token);

UPDATE `p.d.colony_state` SET epoch = epoch + 1 WHERE epoch = @epoch;

SELECT COUNT(*) FROM `p.d.colony_definitions` WHERE token = @token;

SELECT COUNT(*) FROM `p.d.colony_retired` WHERE token = @token
