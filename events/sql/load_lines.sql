-- Parse the lines in `incoming` and add them to `loaded`.
--
-- A line keeps its text only where something about it is unusual, so that `drop_faulty` can name
-- the reason; the text of a million good lines would double the size of the table.

INSERT INTO loaded
SELECT
    file_id, line, {columns},
    CASE
        WHEN (
            t.message IN ('next', 'last', 'heard')
                OR t.message IN ('error', 'forget') AND t."schema" IS NOT NULL
            )
            AND t."timestamp" BETWEEN 0 AND {latest_ms}
            AND t."user" NOT IN ('', 'true', 'false') AND left(t."user", 1) NOT IN ('{{', '[')
            AND (
                t."time" BETWEEN 0 AND 1 AND t.track IS NOT NULL
                OR t."time" IS NULL AND t.track IS NULL
            )
            AND (
                t."schema" IS NULL
                OR t.decision IS NOT NULL
                AND (
                    t.session IS NOT NULL AND t.turn IS NOT NULL
                    OR t.message IN ('error', 'forget') OR coalesce(t.degraded, FALSE)
                )
                AND (t.message <> 'next' OR t.recommendation IS NOT NULL)
            )
            THEN NULL
        ELSE text
    END
FROM (
    SELECT file_id, line, text, TRY(json_transform(text, '{structure}')) AS t
    FROM incoming
);
