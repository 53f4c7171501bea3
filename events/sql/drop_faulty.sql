-- Name the reason why each line that kept its text is no event; a few turn out to be events.

INSERT INTO dropped_lines
WITH unusual AS (
    SELECT *, CASE WHEN json_valid(raw) THEN raw END AS valid
    FROM loaded
    WHERE raw IS NOT NULL
),
typed AS (
    SELECT
        *,
        json_type(valid, '$.message') AS message_type,
        json_type(valid, '$.timestamp') AS timestamp_type,
        json_type(valid, '$.user') AS user_type,
        json_type(valid, '$.time') AS time_type,
        json_type(valid, '$.track') AS track_type
    FROM unusual
),
checked AS (
    SELECT
        file_id,
        line,
        CASE
            WHEN valid IS NULL AND trim(raw, chr(32) || chr(9) || chr(13) || chr(10)) = ''
                THEN 'blank line'
            WHEN valid IS NULL AND starts_with(ltrim(raw), '{{') THEN 'torn line'
            WHEN valid IS NULL THEN 'not JSON'
            WHEN json_type(valid) <> 'OBJECT' THEN 'not an object'
            WHEN message_type IS NULL OR message_type = 'NULL' THEN 'missing field: message'
            WHEN message_type NOT IN ('VARCHAR') THEN 'wrong type: message'
            WHEN timestamp_type IS NULL OR timestamp_type = 'NULL' THEN 'missing field: timestamp'
            WHEN timestamp_type NOT IN ('UBIGINT', 'BIGINT', 'DOUBLE') THEN 'wrong type: timestamp'
            WHEN user_type IS NULL OR user_type = 'NULL' THEN 'missing field: user'
            WHEN user_type NOT IN ('VARCHAR', 'UBIGINT', 'BIGINT') THEN 'wrong type: user'
            WHEN message NOT IN ('next', 'last', 'heard')
                AND NOT (message IN ('error', 'forget') AND "schema" IS NOT NULL)
                THEN 'unknown message'
            WHEN at_ms IS NULL OR NOT at_ms BETWEEN 0 AND {latest_ms}
                THEN 'out of range: timestamp'
            WHEN "user" = '' THEN 'wrong type: user'
            WHEN time_type NOT IN ('UBIGINT', 'BIGINT', 'DOUBLE', 'NULL') THEN 'wrong type: time'
            WHEN track_type NOT IN ('VARCHAR', 'UBIGINT', 'BIGINT', 'DOUBLE', 'NULL')
                THEN 'wrong type: track'
            WHEN track IS NULL AND "time" IS NOT NULL THEN 'missing field: track'
            WHEN track IS NOT NULL AND "time" IS NULL THEN 'missing field: time'
            WHEN NOT "time" BETWEEN 0 AND 1 THEN 'out of range: time'
            WHEN "schema" IS NOT NULL AND decision IS NULL THEN 'missing field: decision'
            WHEN message IN ('error', 'forget') OR degraded THEN NULL
            WHEN "schema" IS NOT NULL AND session IS NULL THEN 'missing field: session'
            WHEN "schema" IS NOT NULL AND turn IS NULL THEN 'missing field: turn'
            WHEN "schema" IS NOT NULL AND message = 'next' AND recommendation IS NULL
                THEN 'missing field: recommendation'
        END AS reason
    FROM typed
)
SELECT * FROM checked
WHERE reason IS NOT NULL;
