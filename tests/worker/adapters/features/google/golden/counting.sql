INSERT INTO `p.d.colony_usage` (feature, caller, purpose, reads, last_us) SELECT offered.feature, offered.caller, offered.purpose, SUM(offered.reads), MAX(offered.last_us) FROM (SELECT item.* FROM `p.d_staging.rows_1` AS item) AS offered JOIN `p.d.colony_features` AS f ON f.name = offered.feature GROUP BY offered.feature, offered.caller, offered.purpose;

INSERT INTO `p.d.colony_accessed` (feature, minute_us, reads) SELECT offered.feature, offered.minute_us, SUM(offered.reads) FROM (SELECT item.* FROM `p.d_staging.rows_1` AS item) AS offered JOIN `p.d.colony_features` AS f ON f.name = offered.feature GROUP BY offered.feature, offered.minute_us;

DELETE FROM `p.d.colony_accessed` WHERE minute_us < @oldest;

SELECT feature, caller, purpose, SUM(reads), MAX(last_us) FROM `p.d.colony_usage` GROUP BY feature, caller, purpose ORDER BY feature, caller, purpose;

SELECT COUNT(*) FROM `p.d.colony_accessed` WHERE minute_us <= @until;

UPDATE `p.d.colony_state` SET accesses = accesses + (SELECT COUNT(*) FROM `p.d.colony_accessed` AS a WHERE a.minute_us <= @until) WHERE TRUE;

INSERT INTO `p.d.colony_taken` (token, number, feature, minute_us, reads, taken_at) SELECT @token, s.accesses - m.minutes + m.nth, m.feature, m.minute_us, m.reads, TIMESTAMP_MICROS(@now) FROM (SELECT a.feature, a.minute_us, SUM(a.reads) AS reads, ROW_NUMBER() OVER (ORDER BY a.minute_us, a.feature) AS nth, COUNT(*) OVER () AS minutes FROM `p.d.colony_accessed` AS a WHERE a.minute_us <= @until GROUP BY a.feature, a.minute_us) AS m CROSS JOIN `p.d.colony_state` AS s;

DELETE FROM `p.d.colony_accessed` WHERE minute_us <= @until;

SELECT number, feature, minute_us, reads FROM `p.d.colony_taken` WHERE token = @token AND taken_at = TIMESTAMP_MICROS(@now) ORDER BY number;

SELECT name, kept, newest_us, written_us FROM `p.d.colony_features` ORDER BY name
