"""Generate a world: artists, genres, taste vectors and listeners from one seed.

Its moments are those of botify's world. Artists have a long tail, and more than half of them have
one track. Inner products are about 22 of a track with itself, 13 within an artist, and of sd 2.8
between random tracks. At these, botify's listeners hear six tracks of a random recommender per
session. Every step is exact arithmetic (see `simulator.portable_math`), so a seed gives the same
world on every machine.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from core.catalog import Catalog
from core.progress import SILENT, Progress
from core.rng import Stream, integers, keys, uniforms
from simulator.portable_math import Floats, normals
from simulator.world.name_generator import invent_artist as artist_name
from simulator.world.name_generator import invent_title as track_title
from simulator.world.world import World

DIMENSIONS = 72
GENRES = 24
SCENES = 8
"""Scenes per genre: a listener who likes one artist of a scene tends to like its other artists."""
INTERESTS = 3
STEP = 1 / 64
"""Taste vectors are multiples of it: exact in float16, with inner products exact in float32."""

# Squared lengths of the four vectors whose sum is a taste vector.
_GENRE, _SCENE, _ARTIST, _OWN = 2.0, 4.5, 6.5, 9.0
_MAINSTREAM = 1.5
"""Length of the most popular track along the direction that popular tracks share."""

_AT_HOME = 0.7  # probability that an interest is of the listener's own genre

# Purposes of draws: with the seed and an index, the coordinates of a random number.
_GENRE_OF, _SCENE_OF, _POPULARITY, _PLACE, _ORDER, _USER, _INTEREST = range(1, 8)

Ints = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class GeneratedWorld:
    """A world, and two facts about it that its files do not have.

    Attributes:
        genre_of: Genre of each track: int64, (tracks,).
        rank: Rank of each track by innate popularity, from 0: int64, (tracks,).
    """

    world: World
    genre_of: Ints
    rank: Ints


def generate_world(
    tracks: int, users: int, seed: int, progress: Progress = SILENT
) -> GeneratedWorld:
    """Generate a world; the same arguments give the same bits.

    Track and listener ids are 0, 1, 2 ...

    Args:
        tracks: Number of tracks, at least 100.
        users: Number of listeners, at least 1.
        seed: Any integer.
        progress: Advances by one for each track named.
    """
    assert tracks >= 100, "a listener's ten nearest tracks are a small part of the catalog"
    assert users >= 1, "a world has listeners"
    artist_of = _artists(tracks, seed)
    artists = int(artist_of.max()) + 1
    # Fewer genres in a small world: a genre needs about 100 tracks.
    genres = max(2, min(GENRES, tracks // 100))
    genre_of = _genres(artists, genres, seed)[artist_of]
    scene_of = genre_of * SCENES + integers(SCENES, seed, _SCENE_OF, np.arange(artists))[artist_of]
    rank = _ranks(artist_of, seed)
    embeddings = _embeddings(artist_of, genre_of, scene_of, rank, seed)
    catalog = _catalog(artist_of, genre_of, seed, progress)
    interests = _interests(users, genre_of, rank, seed)
    listener = np.arange(users)
    bias = integers(10_001, seed, _USER, listener, 0) / 1000
    steepness = 1 + integers(1001, seed, _USER, listener, 1) / 1000
    gentle = integers(2, seed, _USER, listener, 2) == 1
    sharpness = np.where(gentle, np.rint(1000 / steepness) / 1000, steepness)
    world = World(catalog, embeddings, list(range(users)), interests, bias, sharpness)
    return GeneratedWorld(world, genre_of, rank)


def artist_sizes(tracks: int) -> Ints:
    """Return the number of tracks of each artist, most first; the numbers add up to `tracks`.

    The k-th of A artists has ((A + b) / (k + b)) ** (7/8) tracks, rounded down, with b = A / 150:
    the Zipf-Mandelbrot law. The first has about 80, as in botify's catalog, and 55 % have one.
    """
    fewest, most = 1, tracks
    while fewest < most:  # bisection: the greatest A whose artists have at most `tracks` tracks
        middle = (fewest + most + 1) // 2
        fewest, most = (middle, most) if _sizes(middle).sum() <= tracks else (fewest, middle - 1)
    sizes = _sizes(fewest)
    return np.concatenate([sizes, np.ones(tracks - int(sizes.sum()), dtype=np.int64)])


def _sizes(artists: int) -> Ints:
    bend = artists / 150
    ratio = (artists + bend) / (np.arange(1, artists + 1) + bend)
    eighth_root = np.sqrt(np.sqrt(np.sqrt(ratio)))
    return np.asarray(np.floor(ratio / eighth_root), dtype=np.int64)


def _artists(tracks: int, seed: int) -> Ints:
    """Draw the artist of each track; ids follow neither artists nor popularity."""
    sizes = artist_sizes(tracks)
    owners = np.repeat(np.arange(len(sizes)), sizes)
    order = np.argsort(keys(seed, _ORDER, np.arange(tracks)), kind="stable")
    return np.asarray(owners[order])


def _genres(artists: int, genres: int, seed: int) -> Ints:
    """Draw the genre of each artist: genre g has a weight of 1 / (g + 4)."""
    weights = 1_000_000 // (np.arange(genres) + 4)
    return _weighted(weights, uniforms(seed, _GENRE_OF, np.arange(artists)))


def _ranks(artist_of: Ints, seed: int) -> Ints:
    """Draw the order of innate popularity, half of which the tracks of an artist share."""
    tracks = len(artist_of)
    fame = normals(seed, _POPULARITY, 0, artist_of)
    appeal = fame + normals(seed, _POPULARITY, 1, np.arange(tracks))
    rank = np.empty(tracks, dtype=np.int64)
    rank[np.argsort(-appeal, kind="stable")] = np.arange(tracks)
    return rank


def _embeddings(
    artist_of: Ints, genre_of: Ints, scene_of: Ints, rank: Ints, seed: int
) -> npt.NDArray[np.float32]:
    tracks = len(artist_of)
    axis = np.arange(DIMENSIONS)

    def place(kind: int, of: Ints, squared_length: float) -> Floats:
        scale = float(np.sqrt(squared_length / DIMENSIONS))
        return normals(seed, _PLACE, kind, of[:, None], axis) * scale

    popular = 1 - rank / tracks
    popular = popular * popular * popular
    popular = (
        popular - 0.25
    )  # less its mean, so that random tracks have an inner product of 0 on average
    vectors = (
        place(0, genre_of, _GENRE)
        + place(4, scene_of, _SCENE)
        + place(1, artist_of, _ARTIST)
        + place(2, np.arange(tracks), _OWN)
        + popular[:, None] * place(3, np.zeros(1, dtype=np.int64), _MAINSTREAM * _MAINSTREAM)
    )
    return (np.rint(vectors / STEP) * STEP).astype(np.float32)


def _catalog(artist_of: Ints, genre_of: Ints, seed: int, progress: Progress) -> Catalog:
    """Invent names: artists' names are unique, and so are the titles of one artist."""
    progress.start("naming tracks", len(artist_of))
    names: dict[int, str] = {}
    taken: set[str] = set()
    artists, titles = [], []
    for track, (artist, genre) in enumerate(
        zip(artist_of.tolist(), genre_of.tolist(), strict=True)
    ):
        if artist not in names:
            stream = Stream(f"{seed}/artist/{artist}")
            name = artist_name(genre, stream)
            while name in taken:
                name = artist_name(genre, stream)
            names[artist] = name
            taken.add(name)
        stream = Stream(f"{seed}/track/{track}")
        title = track_title(genre, stream)
        while f"{artist}/{title}" in taken:
            title = track_title(genre, stream)
        taken.add(f"{artist}/{title}")
        artists.append(names[artist])
        titles.append(title)
        progress.advance()
    return Catalog(range(len(titles)), artists, titles)


def _interests(users: int, genre_of: Ints, rank: Ints, seed: int) -> Ints:
    """Draw three different tracks for each listener: popular ones more often, most of one genre."""
    weights = 1_000_000_000 // (rank + 50)
    by_genre = np.argsort(genre_of, kind="stable")
    running = np.cumsum(weights[by_genre])
    ends = np.searchsorted(genre_of[by_genre], np.arange(genre_of.max() + 2))
    sums = np.concatenate([[0], running])[ends]
    home = _weighted(np.diff(sums), uniforms(seed, _INTEREST, np.arange(users), 0))
    chosen = np.full((users, INTERESTS), -1, dtype=np.int64)
    for number in range(INTERESTS):
        wanting, attempt = np.arange(users), 0
        while len(wanting):
            at = (seed, _INTEREST, wanting, 1 + number, attempt)
            stays = uniforms(*at, 0) < _AT_HOME
            low = np.where(stays, sums[home[wanting]], 0)
            high = np.where(stays, sums[home[wanting] + 1], sums[-1])
            point = low + np.floor(uniforms(*at, 1) * (high - low)).astype(np.int64)
            chosen[wanting, number] = by_genre[np.searchsorted(running, point, side="right")]
            twice = (chosen[wanting, :number] == chosen[wanting, number][:, None]).any(axis=1)
            wanting, attempt = wanting[twice], attempt + 1
    return chosen


def _weighted(weights: Ints, uniform: Floats) -> Ints:
    """Draw an index by integer weights for each uniform number."""
    running = np.cumsum(weights)
    point = np.floor(uniform * running[-1]).astype(np.int64)
    return np.asarray(np.searchsorted(running, point, side="right"))
