-- The ids that each process wrote: `stem` names the process, and its ids count its lines in hex.
--
-- Only schema 2 promises that ids have no gap. Later, a time window may delete sessions: so this counts
-- what was read. A dropped line still has its id: a torn line is missing here, a repeated one is not.

-- TABLE written_ids
SELECT stem, min(id) AS first_id, max(id) AS last_id, count(DISTINCT id) AS ids
FROM (
    SELECT
        regexp_extract(decision, '^(.+)-[0-9a-f]+$', 1) AS stem,
        hex_number(regexp_extract(decision, '-([0-9a-f]+)$', 1)) AS id
    FROM loaded
    WHERE "schema" >= 2
)
WHERE id IS NOT NULL AND stem <> ''
GROUP BY stem;
