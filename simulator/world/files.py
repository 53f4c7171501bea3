"""Write a world to a folder, as `simulator.world.world` reads it; same world, same bytes."""

from pathlib import Path

import numpy as np
import orjson

from simulator.world.world import EMBEDDINGS, TRACKS, USERS, World


def write_world(folder: Path, world: World) -> list[Path]:
    """Write catalog, listeners and taste vectors. Each file appears whole, or not at all.

    Args:
        folder: Where to write; made if missing.
        world: The world.

    Returns:
        The files written.
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
        part = folder / f"{name}.part"
        part.write_bytes(b"".join(orjson.dumps(line) + b"\n" for line in lines))
        written.append(part.replace(path))
    path = folder / EMBEDDINGS[0]
    part = folder / f"{path.name}.part"
    with part.open("wb") as file:
        np.lib.format.write_array(
            file, world.embeddings.astype("<f2"), version=(1, 0), allow_pickle=False
        )
    return [*written, part.replace(path)]
