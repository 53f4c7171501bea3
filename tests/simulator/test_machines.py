"""The same world and the same sessions on another machine.

Other kernels of numpy and of its linear algebra, and another number of threads, stand in for it.
"""

import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np

from cli.world_warmup import warm_up
from core.catalog import load_catalog
from core.progress import SILENT
from core.vector_archive import load_vectors
from simulator.listeners.botify import BotifyListeners
from simulator.play.in_process_runner import InProcessRunner
from simulator.recommenders.baselines import RandomTracks
from simulator.world.files import write_world
from simulator.world.generator import generate_world
from simulator.world.neighbours import find_neighbours

ROOT = Path(__file__).parents[2]

VECTORS = "interests.npz"
PLAIN = {
    "NPY_DISABLE_CPU_FEATURES": "AVX2 FMA3 AVX512F AVX512CD AVX512_SKX AVX512_CLX AVX512_CNL "
    "AVX512_ICL AVX512_SPR",
    "OPENBLAS_NUM_THREADS": "1",
    "OPENBLAS_CORETYPE": "Prescott",
    "PYTHONWARNINGS": "ignore",  # of features that this processor lacks anyway
    "PYTHONPATH": str(ROOT),
}


def made(folder: Path) -> dict[str, str]:
    """Checksums of a world's files, and of the times of 2,000 sessions in it."""
    world = generate_world(300, 60, 7).world
    files = [*write_world(folder, world), *warm_up(folder, world, 7, SILENT)]
    listeners = BotifyListeners(world, find_neighbours(world), 7)
    played = InProcessRunner(listeners, RandomTracks()).play(listeners.plan_day(0, 2000)).sessions
    times = hashlib.sha256(played.time.tobytes()).hexdigest()
    sums = {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in files}
    return sums | {"times": times}


def test_a_processor_without_vector_instructions_makes_the_same_world(tmp_path: Path) -> None:
    program = (
        "import json, pathlib, sys; from tests.simulator.test_machines import made; "
        "print(json.dumps(made(pathlib.Path(sys.argv[1]))))"
    )
    plain = subprocess.run(
        [sys.executable, "-c", program, str(tmp_path / "plain")],
        check=True,
        capture_output=True,
        text=True,
        cwd=ROOT,
        env=os.environ | PLAIN,
    )
    there, here = json.loads(plain.stdout), made(tmp_path / "here")
    # A fit of vectors adds up in the order of the processor's vector instructions.
    assert there.pop(VECTORS)
    assert here.pop(VECTORS)
    assert there == here
    catalog = load_catalog(tmp_path / "here" / "tracks.jsonl")
    one, two = (
        load_vectors(tmp_path / machine / "vectors" / VECTORS, catalog).units
        for machine in ("plain", "here")
    )
    assert np.abs(one - two).max() < 0.01  # of directions of length 1
