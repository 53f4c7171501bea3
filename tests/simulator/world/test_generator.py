"""Generating a world: the same bytes for a seed, with the documented moments."""

import hashlib
import re
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from cli.world_warmup import LEARNT
from core.catalog import load_catalog, load_top
from core.lists import load_lists
from core.vector_archive import load_vectors
from simulator.world.files import write_world
from simulator.world.generator import STEP, GeneratedWorld, artist_sizes, generate_world
from simulator.world.world import World, load_world

ROOT = Path(__file__).parents[3]
DATA = ROOT / "data"

GOLDEN = {
    "tracks.jsonl": "172be1c85270ef69",
    "users.jsonl": "435de3e544418351",
    "embeddings.npy": "57aaeb8a7c0af997",
}
"""First 16 digits of each file's SHA-256, of 200 tracks, 60 listeners, seed 7. Whoever changes one
changes what every seed means: then make `data/` again, and say so in the changelog."""


@pytest.fixture(scope="module")
def made() -> GeneratedWorld:
    return generate_world(10_000, 1000, 31337)


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> tuple[World, list[Path]]:
    world = generate_world(200, 60, 7).world
    return world, write_world(tmp_path_factory.mktemp("world"), world)


def test_a_seed_gives_the_same_world_on_every_machine(small: tuple[World, list[Path]]) -> None:
    _, written = small
    made = {path.name: hashlib.sha256(path.read_bytes()).hexdigest()[:16] for path in written}
    assert made == GOLDEN


def test_a_different_seed_gives_a_different_world() -> None:
    one, other = generate_world(200, 60, 7).world, generate_world(200, 60, 8).world
    assert one.catalog.titles != other.catalog.titles
    assert not np.array_equal(one.embeddings, other.embeddings)
    assert not np.array_equal(one.interests, other.interests)


def test_more_listeners_do_not_change_the_first_ones() -> None:
    few, many = generate_world(200, 10, 7).world, generate_world(200, 60, 7).world
    assert np.array_equal(few.interests, many.interests[:10])
    assert np.array_equal(few.consume_bias, many.consume_bias[:10])


@pytest.mark.parametrize("tracks", [100, 777, 10_000, 50_000])
def test_more_than_half_of_the_artists_have_one_track(tracks: int) -> None:
    sizes = artist_sizes(tracks)
    assert sizes.sum() == tracks
    assert np.all(np.diff(sizes) <= 0)
    assert np.mean(sizes == 1) > 0.5
    assert sizes[0] <= 80


def test_inner_products_of_tracks_resemble_botifys(made: GeneratedWorld) -> None:
    world = made.world
    vectors = world.embeddings[:2000].astype(np.float64)  # tracks are in no order
    dots = vectors @ vectors.T
    apart = ~np.eye(len(vectors), dtype=bool)
    artist_of = world.catalog.artist_of[:2000]
    same_artist = (artist_of[:, None] == artist_of) & apart
    assert np.diag(dots).mean() == pytest.approx(22, abs=1)
    assert dots[same_artist].mean() == pytest.approx(13, abs=1)
    assert dots[apart].std() == pytest.approx(2.8, abs=0.4)
    assert dots[apart].mean() == pytest.approx(0, abs=0.3)


def test_taste_vectors_and_their_inner_products_are_exact(made: GeneratedWorld) -> None:
    vectors = made.world.embeddings
    assert np.array_equal(vectors.astype(np.float16).astype(np.float32), vectors)
    assert np.array_equal(np.rint(vectors / STEP) * STEP, vectors)
    wide = vectors[:200].astype(np.float64)
    assert np.array_equal(vectors[:200] @ vectors[:200].T, wide @ wide.T)


def test_interests_are_three_different_tracks_and_mostly_popular(made: GeneratedWorld) -> None:
    interests = made.world.interests
    assert interests.shape == (1000, 3)
    assert all(len(set(row)) == 3 for row in interests.tolist())
    assert np.median(made.rank[interests]) < 3000  # of 10,000, where chance would give 5000


def test_interests_of_a_listener_are_mostly_of_one_genre(made: GeneratedWorld) -> None:
    genre = made.genre_of[made.world.interests]
    assert np.mean(genre[:, 0] == genre[:, 1]) > 0.45
    assert np.mean(genre[:, 0] == np.roll(genre[:, 1], 1)) < 0.2


def test_artist_names_and_titles_of_an_artist_are_unique(
    made: GeneratedWorld,
) -> None:
    catalog = made.world.catalog
    pairs = zip(catalog.artist_of.tolist(), catalog.titles, strict=True)
    assert max(Counter(pairs).values()) == 1
    assert len(set(catalog.artists)) == len(catalog.artists)


def test_names_can_be_pronounced(made: GeneratedWorld) -> None:
    names = made.world.catalog.artists + made.world.catalog.titles
    assert not [name for name in names if re.search(r"(.)\1\1", name)]
    assert not [name for name in names if name != name.strip() or not name]
    assert max(map(len, names)) <= 50


def test_a_written_world_loads_unchanged(small: tuple[World, list[Path]]) -> None:
    world, written = small
    read = load_world(written[0].parent)
    assert read.catalog.checksum == world.catalog.checksum
    assert np.array_equal(read.embeddings, world.embeddings)
    assert np.array_equal(read.interests, world.interests)
    assert np.array_equal(read.consume_bias, world.consume_bias)
    assert np.array_equal(read.consume_sharpness, world.consume_sharpness)


def test_the_embedded_data_matches_its_readme() -> None:
    table = re.findall(
        r"^\| `([\w./]+)` \|.*\| `([0-9a-f]{64})` \|$", (DATA / "README.md").read_text(), re.M
    )
    files = {str(p.relative_to(DATA)) for p in DATA.rglob("*") if p.is_file()} - {"README.md"}
    assert {name for name, _ in table} == files
    for name, checksum in table:
        assert hashlib.sha256((DATA / name).read_bytes()).hexdigest() == checksum, name


def test_the_command_in_the_readme_makes_the_embedded_catalog() -> None:
    """Catalog, vectors and listeners; the lists would take minutes, see `test_rehearsal`."""
    world, committed = generate_world(10_000, 10_000, 31337).world, load_world(DATA)
    assert committed.catalog.checksum == world.catalog.checksum
    assert np.array_equal(committed.embeddings, world.embeddings)
    assert np.array_equal(committed.interests, world.interests)
    assert np.array_equal(committed.consume_bias, world.consume_bias)
    assert np.array_equal(committed.consume_sharpness, world.consume_sharpness)


def test_the_embedded_data_can_be_served() -> None:
    catalog = load_catalog(DATA / "tracks.jsonl")
    assert len(load_top(DATA / "top_tracks.json", catalog)) > 9_000
    for learnt in LEARNT:
        if not learnt.top:
            assert len(load_vectors(DATA / learnt.file, catalog)) == 10_000
            continue
        lists = load_lists(DATA / learnt.file, catalog)
        assert (lists.key, lists.manifest["model"]) == (learnt.key, learnt.model)
        assert len(lists) == 10_000
        assert np.median(np.diff(lists.offsets)) == learnt.top
    assert max(path.stat().st_size for path in DATA.rglob("*")) < 3_000_000
