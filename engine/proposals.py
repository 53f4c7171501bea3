"""The server's look at every proposal: how long it took, if it came in time, and if it is sound.

A proposal that is late or faulty fails like a strategy that raises: the next member of the chain
is asked, and the event says who failed. Replay looks at nothing: the log says who failed.
"""

import math
from collections.abc import Callable, Mapping

from core.candidate_faults import fault_of_tracks, fault_of_weights
from core.candidates import Candidates
from core.errors import InvalidCandidates, LateProposal
from engine.failure_log import FailureLog
from engine.metrics import ServerMetrics
from engine.runtime import Runtime


class ProposalWatch:
    """The watch over the strategies of one server; `engine.turn.Watch` says when it is asked.

    Args:
        metrics: Gets the time of every proposal.
        now_s: Seconds on a clock that never goes back, for the log of failures.

    Attributes:
        meters: As in `engine.turn.Watch`.
    """

    def __init__(self, metrics: ServerMetrics, now_s: Callable[[], float]) -> None:
        self._metrics = metrics
        self._failures = FailureLog(now_s)
        self._limits_s: dict[str, float] = {}
        self._check_all = False
        self._tracks = 0
        self.meters: Mapping[str, tuple[list[float], float]] = {}

    def serve(self, runtime: Runtime) -> None:
        """Watch the strategies of this runtime from now on."""
        self._check_all = runtime.settings.server.check_candidates
        self._tracks = len(runtime.catalog)
        # Strategies of the runtime before stay: shared state may still answer turns that it began.
        self._limits_s |= {
            name: math.inf if each.timeout_ms is None else each.timeout_ms / 1000
            for name, each in runtime.settings.strategies.items()
        }
        self.meters = dict(self.meters) | {
            name: (self._metrics.times_to_propose(name), -1.0 if self._check_all else limit_s)
            for name, limit_s in self._limits_s.items()
        }

    def look(self, name: str, candidates: Candidates | None, took_s: float) -> None:
        """Look at a proposal that took long, or at every one if the config says so.

        Raises:
            LateProposal: It took longer than its `timeout_ms`.
            InvalidCandidates: All candidates are checked, and some are faulty.
        """
        if took_s > self._limits_s[name]:
            raise LateProposal(name, took_s, self._limits_s[name])
        if self._check_all and candidates is not None:
            fault = fault_of_tracks(candidates, self._tracks) or fault_of_weights(candidates)
            if fault is not None:
                raise InvalidCandidates(f"strategy '{name}' {fault}")

    def failed(self, name: str, error: BaseException, decision: str) -> None:
        """Log that a member of a chain failed in this decision."""
        self._failures.record(name, error, decision)
