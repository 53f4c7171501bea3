-- The listeners whose history somebody had deleted.
SELECT "user", at_ms FROM forgotten;
