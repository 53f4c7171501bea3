"""Real input: botify's files, unchanged, serve every strategy type.

The tests run twice: over the small world in botify's formats, and over botify's real catalog of
50,000 songs if it lies beside the checkout.
"""

import json
from collections import Counter, defaultdict

import pytest
import yaml
from starlette.testclient import TestClient
from typer.testing import CliRunner

from app.application import create_app
from cli import main
from core.rng import Stream
from engine.runtime import load_runtime
from engine.settings.loading import load_settings
from segue.testing.small_world import CONFIGURED, list_for, small_catalog
from tests import needs
from tests.service import Clock, events_in, write_world
from tests.worlds import every_type

REAL = [f"botify/{name}.json" for name in ("tracks", "top_tracks", "recommendations")]
USERS = {"small": 60, "botify": 300}


TYPES = {
    name: entry for name, entry in every_type().items() if not {"vectors", "where"} & entry.keys()
}
"""All types but those that read vectors, or fields which botify's catalog does not have."""


@pytest.fixture(params=["small", pytest.param("botify", marks=needs.shared(*REAL))], scope="module")
def files(request, tmp_path_factory):
    """Name, catalog, popularity list and lists by user."""
    if request.param == "botify":
        return ("botify", *(needs.SHARED / path for path in REAL))
    folder = tmp_path_factory.mktemp("small")
    write_world(folder)
    ids = small_catalog().ids
    lines = [{"user": u, "tracks": [ids[t] for t in list_for(u)]} for u in range(USERS["small"])]
    (folder / "personal.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    names = [folder / name for name in ("tracks.jsonl", "top_tracks.json", "personal.jsonl")]
    return ("small", *names)


@pytest.fixture(scope="module")
def served(files, tmp_path_factory):
    """Load a config over the files with an arm for every type, made by commands as a user would."""
    _, tracks, top, personal = files
    folder = tmp_path_factory.mktemp("served")
    for command, name in (("import", "personal"), ("cooccurrence", "contextual")):
        words = [command, personal, "--catalog", tracks, "--to", folder / f"{name}.npz"]
        ran = CliRunner().invoke(main.build(), ["lists", *map(str, words)])
        assert ran.exit_code == 0, ran.output
    types = TYPES
    config = {
        "catalog": {
            "tracks": str(tracks),
            "top": str(top),
            "lists": {name: f"{name}.npz" for name in ("personal", "contextual")},
        },
        "strategies": {**CONFIGURED, **types},
        "default": "random",
        "experiments": [
            {
                "name": "types",
                "arms": {name: {"strategy": name, "weight": 100 / len(types)} for name in types},
            }
        ],
        "events": {"dir": "log"},
    }
    path = folder / "config.yaml"
    path.write_text(yaml.safe_dump(config))
    return load_runtime(load_settings(path))


@pytest.fixture(scope="module")
def answers(files, served):
    """Collect the answers to listeners, four turns each, over HTTP in this process."""
    found = []
    users = [json.loads(line)["user"] for line in files[3].read_text().splitlines()]
    with TestClient(create_app(served, Clock())) as client:
        for number in range(USERS[files[0]]):
            user = users[number] if number % 5 else f"somebody-{number}"
            body = {"user": user}
            times = Stream(str(user))
            for turn in range(4):
                # The key seeds the draw: without it, it is random which types answer.
                key = {"Idempotency-Key": f"{user}-{turn}"}
                answered = client.post("/recommend", json=body, headers=key)
                assert answered.status_code == 200, answered.text
                found.append(answered.json())
                body |= {"track": found[-1]["track"], "time": round(times.uniform(), 2)}
    return found


def test_every_type_has_listeners(answers):
    assert {answer["experiments"]["types"] for answer in answers} == {*TYPES}


def test_every_answer_is_a_track_of_the_catalog_by_the_listeners_arm(answers, served):
    for answer in answers:
        assert answer["strategy"] == answer["experiments"]["types"]
        assert answer["answered_by"] in served.chains[answer["strategy"]].declared
        assert served.catalog.index_of(answer["track"]) >= 0


def test_the_log_agrees_with_the_answers(answers, served):
    logged = events_in(served.settings.path.parent)
    assert [event["recommendation"] for event in logged] == [a["track"] for a in answers]
    assert [event["experiments"] for event in logged] == [a["experiments"] for a in answers]
    assert [event["answered_by"] for event in logged] == [a["answered_by"] for a in answers]


def test_every_type_answers_by_itself_and_not_only_by_its_fallback(answers, served):
    depths = defaultdict(Counter)
    for event in events_in(served.settings.path.parent):
        depths[event["strategy"]][event["depth"]] += 1
    alone = {name for name, counted in depths.items() if counted[0]}
    assert alone == {*TYPES}


def test_every_answered_track_is_explained_by_its_strategy(answers, served):
    """The test compares with the files themselves, not with the strategies."""
    artifacts, catalog = served.artifacts, served.catalog
    top = {catalog.ids[index] for index in artifacts.top[:100].tolist()}
    canary = served.settings.strategies["constant"].params.track
    for answer in answers:
        track = answer["track"]
        if answer["answered_by"] in ("top_pop", "popular"):
            assert track in top
        elif answer["answered_by"] == "constant":
            assert track == canary
        elif answer["answered_by"] == "personal":
            own = artifacts.lists["personal"].of_user(str(answer["user"])).listed()
            assert catalog.index_of(track) in own
    assert {"top_pop", "constant"} <= {answer["answered_by"] for answer in answers}
