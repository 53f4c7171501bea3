"""Writing a world to a folder, as `simulator.world.world` reads it; same world, same bytes."""

from pathlib import Path

import numpy as np
import orjson

from simulator.world.world import EMBEDDINGS, TRACKS, USERS, World


def write_world(folder: Path, world: World) -> list[Path]:
    """Write catalog, listeners and taste vectors; made if missing, a file is whole or not there.

    Returns:
        What was written.
    """
    catalog = world.catalog
    folder.mkdir(parents=True, exist_ok=True)
    tracks = (
        {"track": track, "artist": catalog.artists[artist], "title": title}
        for track, artist, title in zip(
            catalog.ids, catalog.artist_of.tolist(), catalog.titles, strict=True
        )
    )
    listeners = (
        {
            "user": user,
            "interests": [catalog.ids[track] for track in interests],
            "consume_bias": bias,
            "consume_sharpness": sharpness,
        }
        for user, interests, bias, sharpness in zip(
            world.users,
            world.interests.tolist(),
            world.consume_bias.tolist(),
            world.consume_sharpness.tolist(),
            strict=True,
        )
    )
    written = []
    for name, lines in ((TRACKS[0], tracks), (USERS[0], listeners)):
        path = folder / name
        beside = folder / f"{name}.part"
        beside.write_bytes(b"".join(orjson.dumps(line) + b"\n" for line in lines))
        written.append(beside.replace(path))
    path = folder / EMBEDDINGS[0]
    beside = folder / f"{path.name}.part"
    with beside.open("wb") as file:
        np.lib.format.write_array(
            file, world.embeddings.astype("<f2"), version=(1, 0), allow_pickle=False
        )
    return [*written, beside.replace(path)]
