"""What a new world is given to start with: files, and lists of listening that it has played."""

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import orjson

from core.lists import save_lists
from core.progress import SILENT, Progress
from simulator.colistening import Companions, companions, personal, popularity
from simulator.rehearsal import Ints, Listening, Related, rehearse
from simulator.world import World

ROUNDS = (5, 10, 15)
"""Sessions of each listener by round; each round's recommender knows the rounds before."""

PER_TRACK = 100
PER_LISTENER = 50
_POPULAR = 100
_FAMILIAR = 30  # companions of a track that the rehearsal's recommender draws from
_WORD_BITS = 31


@dataclass(frozen=True, slots=True, eq=False)
class Dowry:
    """Lists made of a world's own first listening.

    Attributes:
        listens: How many listens they were made of.
        top: Tracks by time listened to, most first: int64, (tracks heard,).
        contextual: Up to 100 companions of each track.
        personal: Up to 50 tracks for each listener.
    """

    listens: int
    top: Ints
    contextual: Companions
    personal: Companions


def endow(world: World, seed: int, progress: Progress = SILENT) -> Dowry:
    """Let the listeners play, in rounds, and make lists of what they heard."""
    tracks = len(world.catalog)
    popular, related, first = np.zeros(0, dtype=np.int64), None, 0
    rounds: list[Listening] = []
    for sessions in ROUNDS:
        heard = rehearse(world, seed, sessions, popular, related, first, progress)
        rounds.append(heard)
        first += sessions
        everything = _together(rounds)
        progress.start("counting what was heard together", None)
        company = companions(everything, tracks, PER_TRACK)
        top = popularity(everything, tracks)
        popular, related = top[:_POPULAR], _related(company)
    progress.start("lists for listeners", None)
    mine = personal(everything, company, len(world), PER_LISTENER)
    return Dowry(len(everything), top, company, mine)


def _together(rounds: list[Listening]) -> Listening:
    """All rounds as one, no session of one with the number of another's."""
    before = np.cumsum([0, *(int(heard.session[-1]) + 1 for heard in rounds)])
    return Listening(
        np.concatenate([heard.session + n for heard, n in zip(rounds, before, strict=False)]),
        np.concatenate([heard.listener for heard in rounds]),
        np.concatenate([heard.track for heard in rounds]),
        np.concatenate([heard.hundredths for heard in rounds]),
    )


def _related(company: Companions) -> Related:
    def related(tracks: Ints, words: Ints) -> Ints:
        start = company.offsets[tracks]
        size = np.minimum(company.offsets[tracks + 1] - start, _FAMILIAR)
        at = np.minimum(start + (words * size >> _WORD_BITS), len(company.tracks) - 1)
        return np.where(size > 0, company.tracks[at], -1)

    return related


def write_world(folder: Path, world: World, dowry: Dowry, seed: int) -> list[Path]:
    """Write all files of a world; same input, same bytes. Returns what was written."""
    catalog = world.catalog
    (folder / "lists").mkdir(parents=True, exist_ok=True)
    written = []

    def write(name: str, content: bytes) -> None:
        beside = folder / f"{name}.part"
        beside.write_bytes(content)
        beside.replace(folder / name)
        written.append(folder / name)

    described = (
        {"track": track, "artist": catalog.artists[artist], "title": title}
        for track, artist, title in zip(
            catalog.ids, catalog.artist_of.tolist(), catalog.titles, strict=True
        )
    )
    write("tracks.jsonl", b"".join(orjson.dumps(line) + b"\n" for line in described))
    listeners = zip(
        world.users,
        world.interests.tolist(),
        world.consume_bias.tolist(),
        world.consume_sharpness.tolist(),
        strict=True,
    )
    write(
        "users.jsonl",
        b"".join(
            orjson.dumps(
                {
                    "user": user,
                    "interests": [catalog.ids[track] for track in interests],
                    "consume_bias": bias,
                    "consume_sharpness": sharpness,
                }
            )
            + b"\n"
            for user, interests, bias, sharpness in listeners
        ),
    )
    write("top_tracks.json", orjson.dumps([catalog.ids[track] for track in dowry.top]) + b"\n")
    beside = folder / "embeddings.npy.part"
    with beside.open("wb") as file:
        np.lib.format.write_array(
            file, world.embeddings.astype("<f2"), version=(1, 0), allow_pickle=False
        )
    beside.replace(folder / "embeddings.npy")
    written.append(folder / "embeddings.npy")
    about = {"model": "co-listening", "seed": seed, "listens": dowry.listens}
    of_tracks = dict(_rows(dowry.contextual))
    of_users = {str(world.users[listener]): row for listener, row in _rows(dowry.personal)}
    contextual, own = folder / "lists" / "contextual.npz", folder / "lists" / "personal.npz"
    save_lists(contextual, "track", of_tracks, catalog, about)
    save_lists(own, "user", of_users, catalog, about)
    return [*written, contextual, own]


def _rows(lists: Companions) -> Iterator[tuple[int, list[int]]]:
    for owner in range(len(lists.offsets) - 1):
        row = lists.of(owner).tolist()
        if row:
            yield owner, row


def checksums(paths: list[Path]) -> Mapping[Path, str]:
    """SHA-256 of each file in hex."""
    return {path: hashlib.sha256(path.read_bytes()).hexdigest() for path in paths}
