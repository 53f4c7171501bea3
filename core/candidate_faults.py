"""Faults of candidates: what no strategy may propose. A look at all candidates takes their length.

The contract of strategies asks for each; a server does with `server.check_candidates`.
"""

import numpy as np

from core.candidates import Candidates
from core.mixture import Mixture


def fault_of_tracks(proposed: object, catalog: int) -> str | None:
    """Say in a clause what is wrong with the tracks that a strategy proposes; None if nothing is.

    Args:
        proposed: What it returned, and not None.
        catalog: Number of tracks of the catalog.
    """
    if not isinstance(proposed, Candidates):
        return f"proposes a {type(proposed).__name__}; it must be Candidates or None"
    tracks = proposed.listed()
    if not tracks:
        return "proposes no track; None abstains"
    if len(proposed) != len(tracks):
        return f"proposes {len(tracks)} tracks, and their len() is {len(proposed)}"
    if len(set(tracks)) != len(tracks):
        return "proposes a track twice"
    unknown = [each for each in tracks if not (isinstance(each, int) and 0 <= each < catalog)]
    if unknown:
        return f"proposes {unknown[:3]}, which are no indices of the catalog"
    return None


def fault_of_weights(candidates: Candidates) -> str | None:
    """Say in a clause what is wrong with the weights of candidates; None if nothing is."""
    parts = candidates.parts if isinstance(candidates, Mixture) else [candidates]
    for part in parts:
        if part.weights is None:
            continue
        weights = np.asarray(part.weights)
        if weights.shape != (len(part),):
            return f"gives {weights.size} weights for {len(part)} tracks"
        # Weights that are all negative have positive shares; a NaN is neither above 0 nor below.
        wrong = weights[~((weights > 0) & np.isfinite(weights))]
        if wrong.size:
            return f"gives the weight {wrong[0]}; each must be finite and above 0"
    return None
