WITH seen AS (
  SELECT t.entity_id, ROW_NUMBER() OVER (
      PARTITION BY t.entity_id ORDER BY t.feature_timestamp, t.known_at, t.write_sequence
    ) AS place_in_order, UNIX_MICROS(t.serving_timestamp) AS serving_us, t.`karma` AS value_0, t.`karma__state` AS state_0, t.`active` AS value_1, t.`active__state` AS state_1
  FROM `p.d.entity_user` AS t
  WHERE t.entity_id IN (SELECT offered.entity_id FROM (SELECT item.entity_id AS entity_id FROM UNNEST(@wanted) AS item) AS offered)
),
placed AS (
  SELECT seen.*, MAX(IF(state_0 IS NULL, NULL, place_in_order)) OVER (PARTITION BY entity_id) AS at_0, MAX(IF(state_1 IS NULL, NULL, place_in_order)) OVER (PARTITION BY entity_id) AS at_1 FROM seen
)
SELECT entity_id,
  MAX(IF(place_in_order = at_0, value_0, NULL)) AS value_0, MAX(IF(place_in_order = at_0, state_0, NULL)) AS state_0, MAX(IF(place_in_order = at_0 AND state_0 IS NOT NULL, serving_us, NULL)) AS served_0,
  LOGICAL_OR(IF(place_in_order = at_1, value_1, NULL)) AS value_1, MAX(IF(place_in_order = at_1, state_1, NULL)) AS state_1, MAX(IF(place_in_order = at_1 AND state_1 IS NOT NULL, serving_us, NULL)) AS served_1
FROM placed
GROUP BY entity_id
