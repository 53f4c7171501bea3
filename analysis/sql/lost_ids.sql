-- Each process of schema 2: first and last id, ids, the last id that an `.end.json` names, its file.
SELECT
    w.stem,
    w.first_id,
    w.last_id,
    w.ids,
    max(e.last_id),
    arg_max(f.path, e.last_id)
FROM written_ids AS w
LEFT JOIN (
    SELECT
        file_id,
        regexp_extract(last, '^(.+)-[0-9a-f]+$', 1) AS stem,
        TRY_CAST('0x' || regexp_extract(last, '-([0-9a-f]+)$', 1) AS BIGINT) AS last_id
    FROM file_ends
) AS e ON w.stem = e.stem
LEFT JOIN files AS f ON e.file_id = f.file_id
GROUP BY ALL
ORDER BY w.stem;
