"""`segue lists`, as typed at a terminal."""

import json

import pytest
from typer.testing import CliRunner

from cli import main
from core.catalog import load_catalog
from core.errors import InputError
from core.lists import load_lists
from segue.testing.small_world import list_for, list_of
from tests.service import write_world


@pytest.fixture
def world(tmp_path):
    write_world(tmp_path)
    return tmp_path


def segue(*words):
    """Run a command and return its output; faults are raised, as `main` gets them."""
    result = CliRunner().invoke(main.build(), [str(word) for word in words])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    assert result.exit_code == 0, result.output
    return result.output


def lists(command, file, world, *more):
    return segue("lists", command, file, *more, "--catalog", world / "tracks.jsonl")


@pytest.mark.parametrize(
    ("name", "key", "size", "sizes"),
    [("contextual", "track", 20, "6"), ("personal", "user", 6, "5")],
    ids=["by-track", "by-user"],
)
def test_imported_lists_are_the_lists_of_the_file(world, name, key, size, sizes):
    to = world / f"{name}.npz"
    printed = lists("import", world / f"{name}.jsonl", world, "--to", to, "--model", "dssm")
    assert f"Wrote {to}: {size} lists by {key} of {sizes} tracks, " in printed
    assert f"catalog: {{lists: {{{name}: {to}}}}}" in printed
    catalog = load_catalog(world / "tracks.jsonl")
    made = load_lists(to, catalog)
    assert (made.key, len(made)) == (key, size)
    row = made.of_track(4).listed() if key == "track" else made.of_user("4").listed()
    assert row == (list_of(4) if key == "track" else list_for(4))
    assert made.manifest["model"] == "dssm"
    assert made.manifest["made_by"] == "segue lists import"
    assert list(made.manifest["from"]) == [f"{name}.jsonl"]


def test_the_same_command_writes_the_same_bytes(world):
    for to in (world / "one.npz", world / "two.npz"):
        lists("cooccurrence", world / "personal.jsonl", world, "--to", to)
    assert (world / "one.npz").read_bytes() == (world / "two.npz").read_bytes()


def test_lists_by_track_are_made_from_lists_by_user(world):
    to = world / "near.npz"
    lists("import", world / "personal.jsonl", world, "--to", world / "personal.npz")
    printed = lists("cooccurrence", world / "personal.npz", world, "--to", to, "--top", 3)
    assert "lists by track of 3 tracks" in printed
    made = load_lists(to, load_catalog(world / "tracks.jsonl"))
    # 6 stands on this list alone; 9 and 20 on one other, 15 on two, 10 on three.
    assert list_for(6) == [6, 9, 10, 15, 20]
    assert made.of_track(6).listed() == [9, 20, 15]
    assert made.manifest["params"] == {"top": 3, "at_least": 1}


def test_a_list_is_shown_with_artists_and_titles(world):
    printed = lists("show", world / "contextual.jsonl", world, 1040, "--top", 2)
    assert "track 1040 · Artist a · Title 4" in printed
    assert [word for word in printed.split() if word in ("1050", "1090", "1110")] == [
        "1050",
        "1090",
    ]
    assert "2 of 6; --top 6 shows all." in printed
    printed = lists("show", world / "personal.jsonl", world, 4)
    assert "user 4" in printed
    assert "Title 20" in printed


def test_a_list_is_printed_as_json(world):
    printed = json.loads(lists("show", world / "personal.jsonl", world, "4", "--top", 1, "--json"))
    assert printed == {
        "user": "4",
        "list": [{"track": 1200, "artist": "Artist f", "title": "Title 20"}],
        "length": 5,
    }


def test_unknown_tracks_are_a_fault_without_drop_unknown(world):
    file, to = world / "old.jsonl", world / "old.npz"
    file.write_text(
        '{"user": 1, "tracks": [7, 1000, 8]}\n{"user": 2, "tracks": [9]}\n'
        '{"user": 3, "tracks": [1010]}\n'
    )
    with pytest.raises(InputError, match=r"old\.jsonl:1: 2 of 3 tracks are not in the catalog: 7"):
        lists("import", file, world, "--to", to)
    assert not to.exists()
    printed = lists("import", file, world, "--to", to, "--drop-unknown")
    assert "Left out 3 tracks that the catalog does not have, and 1 lists." in printed
    made = load_lists(to, load_catalog(world / "tracks.jsonl"))
    assert made.manifest["dropped"] == {"tracks": 3, "lists": 1}
    assert [made.of_user(user).listed() for user in ("1", "3")] == [[0], [1]]
    assert made.of_user("2") is None


def test_drop_unknown_hides_no_second_fault(world):
    file = world / "old.jsonl"
    file.write_text('{"track": 7, "tracks": [1000]}\n{"track": 1000, "tracks": [null, 1010]}\n')
    with pytest.raises(InputError, match=r"old\.jsonl:2: 1 of 2 tracks are not .*: None"):
        lists("import", file, world, "--to", world / "x.npz", "--drop-unknown")


@pytest.mark.parametrize(
    ("words", "match"),
    [
        (
            ("import", "personal.jsonl", "--to", "x.json"),
            r"--to: must be a file that ends in \.npz",
        ),
        (("import", "personal.jsonl", "--to", "no/x.npz"), "--to: folder .*no must be there"),
        (("import", "none.jsonl", "--to", "x.npz"), r"none\.jsonl: cannot be read: No such file"),
        (
            ("cooccurrence", "contextual.jsonl", "--to", "x.npz"),
            r"contextual\.jsonl: must be lists by user, is keyed by track",
        ),
        (
            ("cooccurrence", "personal.jsonl", "--to", "x.npz", "--at-least", "9"),
            r"personal\.jsonl: must have two tracks that share 9 lists, has none",
        ),
        (("show", "personal.jsonl", "9"), r"OWNER: user '9' has no list in .*personal\.jsonl"),
        (("show", "contextual.jsonl", "4"), r"OWNER: track '4' is not in .*tracks\.jsonl"),
        (("show", "contextual.jsonl", "1200"), "OWNER: track '1200' has no list in "),
    ],
    ids=[
        "target-no-npz",
        "target-nowhere",
        "no-file",
        "by-track",
        "nothing-shared",
        "no-such-user",
        "no-such-track",
        "track-without-list",
    ],
)
def test_faults_say_where_and_what(world, words, match):
    command, file, *more = words
    more = [world / word if word.endswith((".npz", ".json")) else word for word in more]
    with pytest.raises(InputError, match=match):
        lists(command, world / file, world, *more)
