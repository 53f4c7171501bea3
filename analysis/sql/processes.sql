-- The server process that wrote each file: the file's name without its number and its endings.
-- TABLE processes
SELECT
    file_id,
    regexp_replace(
        regexp_extract(path, '[^/\\]*$', 0),
        '(-[0-9]{4,})?\.(jsonl|json|log)(\.[0-9]+)?(\.gz|\.zst)?$',
        ''
    ) AS process
FROM files;
