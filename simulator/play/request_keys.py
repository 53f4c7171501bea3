"""What a recommender is asked, the same over HTTP and in process."""

from zlib import crc32

from core.catalog import TrackId


def request_key(config: str, seed: int, number: int, step: int, track: TrackId, time: float) -> str:
    """The idempotency key of a request, which also seeds the server's draw.

    It belongs to (seed, session, step), so that a freshly started server answers a session alike
    whatever came before it; and to what the request says and the config that answers it, so that
    a server that ran an earlier simulation neither refuses the key nor answers from memory.

    Args:
        config: Digest of the server's config; empty where the server tells none.
        seed: The simulation's.
        number: The session's.
        step: Number of the request in the session, from 1.
        track: Id of the track heard last.
        time: Share of it that was heard.
    """
    return f"{seed}-{number}-{step}-{crc32(f'{config} {track} {time}'.encode()):08x}"
