-- The turns that were decided without the shared state: their listeners may miss a turn.
SELECT "user", at_ms FROM unplaced WHERE degraded;
