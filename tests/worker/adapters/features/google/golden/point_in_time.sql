WITH asked AS (
  SELECT offered.place, offered.entity_id, offered.moment_us FROM (SELECT item.place, item.entity_id, item.moment_us FROM UNNEST(@asked) AS item) AS offered
),
seen AS (
  SELECT t.entity_id, UNIX_MICROS(t.feature_timestamp) AS event_us, GREATEST(UNIX_MICROS(t.feature_timestamp), UNIX_MICROS(t.known_at)) AS visible_us,
    ROW_NUMBER() OVER (
      PARTITION BY t.entity_id ORDER BY t.feature_timestamp, t.known_at, t.write_sequence
    ) AS place_in_order, t.`karma` AS value_0, t.`karma__state` AS state_0, t.`nick` AS value_1, t.`nick__state` AS state_1, t.`active` AS value_2, t.`active__state` AS state_2
  FROM `p.d.entity_user` AS t
  WHERE t.feature_timestamp BETWEEN TIMESTAMP_MICROS(@first) AND TIMESTAMP_MICROS(@last) AND t.write_sequence <= @bound AND t.entity_id IN (SELECT asked.entity_id FROM asked)
),
stream AS (
  SELECT entity_id, visible_us AS moment_us, 0 AS question, CAST(NULL AS INT64) AS place, IF(state_0 IS NULL, NULL, place_in_order) AS at_0, IF(state_1 IS NULL, NULL, place_in_order) AS at_1, IF(state_2 IS NULL, NULL, place_in_order) AS at_2 FROM seen
  UNION ALL
  SELECT entity_id, moment_us, 1 AS question, place, CAST(NULL AS INT64) AS at_0, CAST(NULL AS INT64) AS at_1, CAST(NULL AS INT64) AS at_2 FROM asked
),
newest AS (
  SELECT place, entity_id, moment_us, MAX(at_0) OVER so_far AS at_0, MAX(at_1) OVER so_far AS at_1, MAX(at_2) OVER so_far AS at_2 FROM stream
  WINDOW so_far AS (
    PARTITION BY entity_id ORDER BY moment_us, question ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW
  )
),
found AS (
  SELECT n.place, n.entity_id, n.moment_us, f.feature, f.place_in_order
  FROM newest AS n CROSS JOIN UNNEST([STRUCT(0 AS feature, n.at_0 AS place_in_order), STRUCT(1 AS feature, n.at_1 AS place_in_order), STRUCT(2 AS feature, n.at_2 AS place_in_order)]) AS f
  WHERE n.place IS NOT NULL AND f.place_in_order IS NOT NULL
)
SELECT found.place,
  MAX(IF(found.feature = 0 AND found.moment_us - seen.event_us <= 172800000000, seen.value_0, NULL)) AS value_0, MAX(IF(found.feature = 0 AND found.moment_us - seen.event_us <= 172800000000, seen.state_0, NULL)) AS state_0,
  MAX(IF(found.feature = 1, seen.value_1, NULL)) AS value_1, MAX(IF(found.feature = 1, seen.state_1, NULL)) AS state_1,
  LOGICAL_OR(IF(found.feature = 2, seen.value_2, NULL)) AS value_2, MAX(IF(found.feature = 2, seen.state_2, NULL)) AS state_2
FROM found JOIN seen ON seen.entity_id = found.entity_id AND seen.place_in_order = found.place_in_order
GROUP BY found.place
