-- The listener table with the label of each listener's segment.
SELECT l.*, s.segment_label
FROM listener_table AS l
LEFT JOIN segment_labels AS s ON l."user" = s."user"
