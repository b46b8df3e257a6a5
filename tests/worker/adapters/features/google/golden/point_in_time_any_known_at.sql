WITH asked AS (
  SELECT offered.place, offered.entity_id, offered.moment_us FROM (SELECT item.place, item.entity_id, item.moment_us FROM UNNEST(@asked) AS item) AS offered
),
seen AS (
  SELECT t.entity_id, UNIX_MICROS(t.feature_timestamp) AS event_us, UNIX_MICROS(t.feature_timestamp) AS visible_us,
    ROW_NUMBER() OVER (
      PARTITION BY t.entity_id ORDER BY t.feature_timestamp, t.known_at, t.write_sequence
    ) AS place_in_order, t.`nick` AS value_0, t.`nick__state` AS state_0
  FROM `p.d.entity_user` AS t
  WHERE t.feature_timestamp BETWEEN TIMESTAMP_MICROS(@first) AND TIMESTAMP_MICROS(@last) AND t.write_sequence <= @bound AND t.entity_id IN (SELECT asked.entity_id FROM asked)
),
stream AS (
  SELECT entity_id, visible_us AS moment_us, 0 AS question, CAST(NULL AS INT64) AS place, IF(state_0 IS NULL, NULL, place_in_order) AS at_0 FROM seen
  UNION ALL
  SELECT entity_id, moment_us, 1 AS question, place, CAST(NULL AS INT64) AS at_0 FROM asked
),
newest AS (
  SELECT place, entity_id, moment_us, MAX(at_0) OVER so_far AS at_0 FROM stream
  WINDOW so_far AS (
    PARTITION BY entity_id ORDER BY moment_us, question ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW
  )
),
found AS (
  SELECT n.place, n.entity_id, n.moment_us, f.feature, f.place_in_order
  FROM newest AS n CROSS JOIN UNNEST([STRUCT(0 AS feature, n.at_0 AS place_in_order)]) AS f
  WHERE n.place IS NOT NULL AND f.place_in_order IS NOT NULL
)
SELECT found.place,
  MAX(IF(found.feature = 0, seen.value_0, NULL)) AS value_0, MAX(IF(found.feature = 0, seen.state_0, NULL)) AS state_0
FROM found JOIN seen ON seen.entity_id = found.entity_id AND seen.place_in_order = found.place_in_order
GROUP BY found.place
