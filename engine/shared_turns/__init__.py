"""The parts of a turn with shared state: tickets, their order, ids, what goes to Redis."""
