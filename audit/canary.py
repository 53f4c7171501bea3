"""The canary: every arm plays one track of its own over real HTTP, so the played arm is visible.

For every listener, the played arm, the arm in the response and the arm in the log must agree. So
the canary finds an arm that is logged by a different rule than it is served.
"""

import http.client
import json
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import orjson
import uvicorn

from app.application import create_app
from app.hot_route import HotRoute
from core.allocation import SERVING, Arm, Experiment
from core.catalog import Catalog, TrackId
from core.errors import SegueError
from engine.dispatcher import Dispatcher
from engine.runtime import Runtime, load_runtime
from engine.settings.model import CatalogSettings, Settings, StrategySettings
from strategies import registry
from strategies.base import Artifacts

DEFAULT = "canary of the default"
TIMEOUT_S = 20


@dataclass(slots=True)
class CanaryReport:
    """The result of a canary run.

    Attributes:
        listeners: Listeners that asked, a count.
        by_arm: "experiment arm" -> listeners in that arm, by the response.
        missing: Arms without a listener.
        wrong: A sentence for each of the first 10 listeners whose arms disagree.
        disagreeing: Listeners whose arms disagree, a count.
    """

    listeners: int = 0
    by_arm: dict[str, int] = field(default_factory=dict)
    missing: list[str] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)
    disagreeing: int = 0

    def disagree(self, sentence: str) -> None:
        """Record a listener whose arms disagree."""
        self.disagreeing += 1
        if len(self.wrong) < 10:
            self.wrong.append(sentence)


def run_canaries(
    settings: Settings,
    catalog: Catalog,
    folder: Path,
    listeners: Iterable[int | str],
    inject: Callable[[Dispatcher], object] | None = None,
) -> CanaryReport:
    """Serve canaries under the config's experiments, and ask for each listener over HTTP.

    Args:
        settings: The config, whose strategies the canaries replace.
        catalog: Catalog of the config.
        folder: Folder for the log of the canaries' server.
        listeners: Ids of the listeners that ask.
        inject: Injects a fault into the server, to prove that the canary finds it.

    Raises:
        SegueError: The server does not start, or refuses a request.
    """
    tracks, canaries = with_canaries(settings, catalog, folder)
    runtime = load_runtime(canaries, Artifacts(catalog))
    arm_of_track = {str(track): place for place, track in tracks.items()}
    attributes = _matching_attributes(settings.experiments)
    answers: dict[str, dict[str, Any]] = {}
    report = CanaryReport()
    with running_server(runtime, inject) as port:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=TIMEOUT_S)
        for user in listeners:
            answer = _ask(connection, {"user": user, "attributes": attributes})
            answers[answer["decision"]] = answer
        connection.close()
    report.listeners = len(answers)
    for event in _read_log(folder):
        _compare_arms(event, answers.pop(event["decision"], None), arm_of_track, runtime, report)
    for answer in answers.values():
        report.disagree(
            f"listener {answer['user']}: got a response, but the log has no line for it"
        )
    wanted = [
        f"{experiment.name} {arm.name}"
        for experiment in canaries.experiments
        for arm in experiment.arms
        if arm.weight and experiment.traffic
    ]
    report.missing = [place for place in wanted if place not in report.by_arm]
    return report


def with_canaries(
    settings: Settings, catalog: Catalog, folder: Path
) -> tuple[dict[str, TrackId], Settings]:
    """Return a track for each arm, and the config in which each arm plays only its track.

    Raises:
        SegueError: The catalog has fewer tracks than the config has arms.
    """
    kind = registry.find("constant")
    places = [
        f"{experiment.name} {arm.name}"
        for experiment in settings.experiments
        if experiment.layer == SERVING
        for arm in experiment.arms
    ]
    places.append(DEFAULT)
    if len(catalog) < len(places):
        raise SegueError(
            f"{settings.path}: the catalog has {len(catalog)} tracks, and {len(places)} arms need "
            "one each for the canary"
        )
    tracks = dict(zip(places, catalog.ids, strict=False))
    strategies = {
        place: StrategySettings(kind, kind.params.model_validate({"track": track}), None, ())
        for place, track in tracks.items()
    }
    experiments = tuple(_with_own_tracks(experiment) for experiment in settings.experiments)
    section = CatalogSettings(tracks=settings.resolve(settings.catalog.tracks).absolute())
    events = settings.events.model_copy(update={"dir": folder.absolute()})
    # Its own memory: the canary's listeners have no place among those of a shared state.
    own = {"backend": "memory", "url": None, "url_env": None, "sentinel": None, "cluster": False}
    return tracks, replace(
        settings,
        state=settings.state.model_copy(update=own),
        catalog=section,
        strategies=strategies,
        default=DEFAULT,
        experiments=experiments,
        events=events,
        started=None,
        watch=False,
    )


@contextmanager
def running_server(
    runtime: Runtime, inject: Callable[[Dispatcher], object] | None = None
) -> Iterator[int]:
    """Run a server on a free port of this machine during the block; gives the port."""
    open_to_us = runtime.settings.server.model_copy(update={"keys_env": {}})
    app = create_app(replace(runtime, settings=replace(runtime.settings, server=open_to_us)))
    assert isinstance(app, HotRoute)
    config = uvicorn.Config(
        app, host="127.0.0.1", port=0, log_level="error", access_log=False, lifespan="on"
    )
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, name="canary", daemon=True)
    thread.start()
    deadline = time.monotonic() + TIMEOUT_S
    while not server.started:
        if not thread.is_alive() or time.monotonic() > deadline:
            raise SegueError("the canary's server did not start")
        time.sleep(0.01)
    if inject is not None:
        dispatcher = app.handlers.dispatcher
        assert isinstance(dispatcher, Dispatcher)
        inject(dispatcher)
    try:
        yield server.servers[0].sockets[0].getsockname()[1]
    finally:
        server.should_exit = True
        thread.join(TIMEOUT_S)


def _with_own_tracks(experiment: Experiment) -> Experiment:
    if experiment.layer != SERVING:
        return experiment
    arms = tuple(
        Arm(arm.name, arm.weight, f"{experiment.name} {arm.name}") for arm in experiment.arms
    )
    return replace(experiment, arms=arms)


def _matching_attributes(experiments: Iterable[Experiment]) -> dict[str, Any]:
    """Return attributes that satisfy as many targetings as possible at once."""
    attributes: dict[str, Any] = {}
    for experiment in experiments:
        for key, allowed in experiment.targeting.items():
            attributes.setdefault(key, allowed[0])
    return attributes


def _ask(connection: http.client.HTTPConnection, body: Mapping[str, Any]) -> dict[str, Any]:
    headers = {"Content-Type": "application/json"}
    connection.request("POST", "/recommend", json.dumps(body), headers)
    response = connection.getresponse()
    content = response.read()
    if response.status != 200:
        raise SegueError(f"the canary's server answered {response.status}: {content[:300]!r}")
    answer: dict[str, Any] = orjson.loads(content)
    return answer


def _read_log(folder: Path) -> Iterator[dict[str, Any]]:
    for path in sorted(folder.glob("events-*.jsonl")):
        for line in path.read_bytes().splitlines():
            yield orjson.loads(line)


def _compare_arms(
    event: Mapping[str, Any],
    answer: Mapping[str, Any] | None,
    arm_of_track: Mapping[str, str],
    runtime: Runtime,
    report: CanaryReport,
) -> None:
    user = event["user"]
    if answer is None:
        report.disagree(f"listener {user}: the log has a decision that no response had")
        return
    for experiment, arm in answer["experiments"].items():
        place = f"{experiment} {arm}"
        report.by_arm[place] = report.by_arm.get(place, 0) + 1
    layers = {each.name: each.layer for each in runtime.settings.experiments}
    responded = _serving_place(answer["experiments"], layers)
    logged = _serving_place(event["experiments"], layers)
    played = arm_of_track.get(str(answer["track"]), f"track {answer['track']}, of no arm")
    if not (played == responded == logged) or answer["experiments"] != event["experiments"]:
        report.disagree(
            f"listener {user}: the server played the track of '{played}', the response names "
            f"{dict(answer['experiments'])}, and the log names {dict(event['experiments'])}"
        )


def _serving_place(arms: Mapping[str, str], layers: Mapping[str, str]) -> str:
    for experiment, arm in arms.items():
        if layers.get(experiment) == SERVING:
            return f"{experiment} {arm}"
    return DEFAULT
