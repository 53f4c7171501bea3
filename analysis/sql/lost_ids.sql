-- Each process of schema 2: first and last id, ids, the last id that an `.end.json` names, its file.
SELECT
    w.stem,
    w.first_id,
    w.last_id,
    w.ids,
    max(e.last_id),
    max_by(f.path, (e.last_id, f.path)) FILTER (WHERE e.last_id IS NOT NULL)
FROM written_ids AS w
LEFT JOIN (
    SELECT
        file_id,
        regexp_extract(last, '^(.+)-[0-9a-f]+$', 1) AS stem,
        hex_number(regexp_extract(last, '-([0-9a-f]+)$', 1)) AS last_id
    FROM file_ends
) AS e ON w.stem = e.stem
LEFT JOIN files AS f ON e.file_id = f.file_id
GROUP BY w.stem, w.first_id, w.last_id, w.ids
ORDER BY w.stem;
