"""The idempotency keys of requests, the same over HTTP and in process."""

from zlib import crc32

from core.catalog import TrackId


def request_key(config: str, seed: int, number: int, step: int, track: TrackId, time: float) -> str:
    """Return the idempotency key of a request, which also seeds the server's draw.

    The key depends on (seed, session, step), so a server answers a session alike whatever sessions
    came before it. It also depends on the content of the request and on the config that answers
    it, so a server that served an earlier simulation neither refuses the key nor repeats an answer.

    Args:
        config: Digest of the server's config; empty if the server names none.
        seed: Seed of the simulation.
        number: Number of the session.
        step: Number of the request in the session, from 1.
        track: Id of the track heard last.
        time: Share of that track that was heard.
    """
    return f"{seed}-{number}-{step}-{crc32(f'{config} {track} {time}'.encode()):08x}"
