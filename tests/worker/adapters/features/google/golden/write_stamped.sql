INSERT INTO `p.d.entity_user`
  (entity_id, feature_timestamp, known_at, serving_timestamp, write_sequence, `karma`, `karma__state`)
WITH rows_offered AS (
  SELECT offered.place, offered.entity_id, offered.event_us, offered.known_us, offered.value_0, offered.is_0 FROM (SELECT item.* FROM `p.d_staging.rows_1` AS item) AS offered
),
beside AS (
  SELECT r.place, t.known_at = TIMESTAMP_MICROS(r.known_us) AS known_equal,
    UNIX_MICROS(t.known_at) AS held_known_us, UNIX_MICROS(t.serving_timestamp) AS held_serving_us,
    ROW_NUMBER() OVER (PARTITION BY r.place ORDER BY t.known_at, t.write_sequence) AS standing, t.`karma__state` AS state_0, (LEFT(t.`karma__state`, 1) = r.is_0 AND COALESCE(t.`karma` = r.value_0, TRUE)) AS same_0
  FROM rows_offered AS r JOIN `p.d.entity_user` AS t
    ON t.entity_id = r.entity_id AND t.feature_timestamp = TIMESTAMP_MICROS(r.event_us)
  WHERE t.feature_timestamp BETWEEN TIMESTAMP_MICROS(@first) AND TIMESTAMP_MICROS(@last)
),
compared AS (
  SELECT beside.*, MAX(IF(state_0 IS NULL, NULL, standing)) OVER each AS top_0 FROM beside WINDOW each AS (PARTITION BY place)
),
before AS (
  SELECT place, MAX(held_known_us) AS newest_known_us, MAX(held_serving_us) AS newest_serving_us,
    MIN(held_serving_us) AS oldest_serving_us, LOGICAL_OR(standing = top_0 AND same_0) AS there_0
  FROM compared GROUP BY place
),
numbered AS (
  SELECT r.*,
    ROW_NUMBER() OVER (PARTITION BY entity_id, event_us ORDER BY known_us, place) AS nth,
    ROW_NUMBER() OVER (PARTITION BY entity_id, event_us ORDER BY known_us DESC, place DESC) AS nth_last
  FROM rows_offered AS r
)
SELECT o.entity_id, TIMESTAMP_MICROS(o.event_us), TIMESTAMP_MICROS(o.known_us),
  TIMESTAMP_MICROS(CASE
    WHEN b.place IS NULL THEN o.event_us + o.nth - 1
    WHEN o.known_us >= b.newest_known_us THEN b.newest_serving_us + o.nth
    ELSE GREATEST(b.oldest_serving_us - o.nth_last, -62135596800000000)
  END),
  w.base + o.place,
  IF((o.is_0 IS NOT NULL AND NOT COALESCE(b.there_0, FALSE)), o.value_0, NULL), IF((o.is_0 IS NOT NULL AND NOT COALESCE(b.there_0, FALSE)), CONCAT(o.is_0, CAST(o.event_us AS STRING), ' ', CAST(o.known_us AS STRING)), NULL)
FROM numbered AS o
JOIN `p.d.colony_writes` AS w ON w.batch = @batch AND w.feature = ''
LEFT JOIN before AS b ON b.place = o.place
WHERE (o.is_0 IS NOT NULL AND NOT COALESCE(b.there_0, FALSE))
