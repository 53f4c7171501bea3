-- When the log begins and ends, without stamps that no working clock gives.
--
-- `odd_stamps` are stamps before the year 2000 (a clock in seconds, or one that was never set), and
-- single lines an hour or more outside of what the first and the last lines of their file say: a process
-- writes its lines in the order of its clock. Where more than one line in a hundred is outside, the
-- file is not in that order, or its clock was set, and no line is odd.

-- TABLE file_spans
SELECT
    file_id,
    min(line) AS first_line,
    max(line) AS last_line,
    count(*) AS events,
    min(at_ms) AS from_ms,
    max(at_ms) AS to_ms
FROM loaded
WHERE at_ms >= 946684800000
GROUP BY file_id;

-- The first and last lines of each file, and how each compares with its neighbours.
-- TABLE edges
SELECT
    l.file_id,
    l.line,
    l.at_ms,
    l.line <= s.first_line + 10 AS head,
    l.line >= s.last_line - 10 AS tail,
    lag(l.at_ms) OVER story AS before_ms,
    lead(l.at_ms) OVER story AS after_ms
FROM loaded AS l
INNER JOIN file_spans AS s ON l.file_id = s.file_id
WHERE l.at_ms >= 946684800000
    AND (l.line <= s.first_line + 10 OR l.line >= s.last_line - 10)
WINDOW story AS (PARTITION BY l.file_id ORDER BY l.line);

-- The median of a few lines: one odd stamp at either end of a file decides nothing.
-- TABLE file_ends_ms
SELECT
    s.file_id,
    s.events,
    s.first_line + 10 AS head_to,
    s.last_line - 10 AS tail_from,
    median(e.at_ms) FILTER (WHERE e.head) AS begin_ms,
    median(e.at_ms) FILTER (WHERE e.tail) AS end_ms
FROM file_spans AS s
INNER JOIN edges AS e ON s.file_id = e.file_id
GROUP BY s.file_id, s.events, s.first_line, s.last_line;

-- TABLE odd_stamps
WITH outside AS (
    SELECT l.file_id, l.line, l.at_ms, f.events
    FROM loaded AS l
    INNER JOIN file_ends_ms AS f ON l.file_id = f.file_id
    WHERE l.at_ms >= 946684800000 AND (
        l.at_ms > f.end_ms + 3600000 AND l.line < f.tail_from
        OR l.at_ms < f.begin_ms - 3600000 AND l.line > f.head_to
    )
    UNION
    -- A stamp at the edge: far from both neighbours, or 30 days from the only one.
    SELECT e.file_id, e.line, e.at_ms, f.events
    FROM edges AS e
    INNER JOIN file_ends_ms AS f ON e.file_id = f.file_id
    WHERE
        e.at_ms > greatest(e.before_ms, e.after_ms) + 3600000
        AND e.before_ms IS NOT NULL AND e.after_ms IS NOT NULL
        OR e.at_ms < least(e.before_ms, e.after_ms) - 3600000
        AND e.before_ms IS NOT NULL AND e.after_ms IS NOT NULL
        OR e.after_ms IS NULL AND e.at_ms > e.before_ms + 2592000000
        OR e.before_ms IS NULL AND e.at_ms < e.after_ms - 2592000000
)
SELECT file_id, line, at_ms
FROM (SELECT *, count(*) OVER (PARTITION BY file_id) AS found FROM outside)
WHERE (found - 1) * 100 <= events
UNION ALL
SELECT file_id, line, at_ms FROM loaded WHERE at_ms < 946684800000;

-- TABLE log_span
WITH clean AS (
    SELECT min(l.at_ms) AS begin_ms, max(l.at_ms) AS end_ms
    FROM loaded AS l
    LEFT JOIN odd_stamps AS o ON l.file_id = o.file_id AND l.line = o.line
    WHERE o.line IS NULL
),
whole AS (SELECT min(at_ms) AS begin_ms, max(at_ms) AS end_ms FROM loaded)
SELECT
    coalesce(c.begin_ms, w.begin_ms) AS begin_ms,
    coalesce(c.end_ms, w.end_ms) AS end_ms
FROM clean AS c
CROSS JOIN whole AS w;
