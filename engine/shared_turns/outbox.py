"""Commands to Redis that no turn waits for: turns taken back, answers that a retry may need."""

from engine.shared_state.groups import Unheeded
from engine.shared_state.record_format import TakenTurn
from engine.shared_state.shard import Shard
from engine.shared_state.store import SharedStore
from engine.shared_turns.tickets import Ticket


class Outbox:
    """The commands of a batch, which go to each shard with one write.

    Args:
        store: The listeners' records.
    """

    def __init__(self, store: SharedStore) -> None:
        self._store = store
        self._commands: dict[Shard, list[bytes]] = {}

    def undo(self, ticket: Ticket, taken: TakenTurn, shard: Shard) -> None:
        """Take a turn back on Redis, if nothing came after it."""
        heard = ticket.arrival.sent.track is not None and ticket.arrival.sent.time is not None
        command = self._store.swap(ticket.keys, taken.record, taken.record_before(heard))
        self._add(shard, command)

    def keep_answer(self, ticket: Ticket, body: bytes) -> None:
        """Keep the answer of a turn that has an idempotency key, for retries to any process."""
        ticket.kept = body
        shard = self._store.shard_of(ticket.keys[0])
        if shard is not None and shard.problem is None:
            self.keep_answer_again(ticket, shard)

    def keep_answer_again(self, ticket: Ticket, shard: Shard) -> None:
        """Keep the answer that a turn got already, if it has an idempotency key."""
        if ticket.kept is not None and ticket.digest is not None:
            command = self._store.keep_answer(ticket.keys[1], ticket.digest, ticket.kept)
            self._add(shard, command)

    def flush(self) -> None:
        """Write all commands."""
        if self._commands:
            outbox, self._commands = self._commands, {}
            for shard, commands in outbox.items():
                shard.send(Unheeded(len(commands)), b"".join(commands))

    def _add(self, shard: Shard, command: bytes) -> None:
        self._commands.setdefault(shard, []).append(command)
