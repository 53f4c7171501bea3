"""`segue data import`, as typed at a terminal."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

from cli import main

TRIPLETS = "u1\tS1\t3\nu1\tS2\t1\nu2\tS1\t1\nu2\tS1\n"


def test_an_import_prints_its_counts_and_the_next_command(tmp_path: Path) -> None:
    path = tmp_path / "train_triplets.txt"
    path.write_text(TRIPLETS)
    to = tmp_path / "out"
    result = CliRunner().invoke(
        main.build(), ["data", "import", "taste_profile", str(path), "--to", str(to)]
    )
    assert result.exit_code == 0, result.output
    assert "bad: must have 3 fields by tabs" in result.output
    assert f"{path}:4:6: must have 3 fields by tabs, got '2 fields'" in result.output
    assert f"segue train neighbours {to}/interactions.parquet" in result.output
    assert sorted(p.name for p in to.iterdir()) == [
        "interactions.parquet",
        "top_tracks.json",
        "tracks.jsonl",
    ]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["lastfm2k"], "KIND: unknown format 'lastfm2k'. Did you mean 'lastfm1k'?"),
        (["table", "--column", "user"], "--column: must be MEANING=COLUMN, got 'user'"),
    ],
    ids=["unknown-format", "half-a-column"],
)
def test_a_faulty_command_ends_with_2_and_one_sentence(
    tmp_path: Path,
    arguments: list[str],
    message: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    kind, *more = arguments
    line = ["segue", "data", "import", kind, str(tmp_path), "--to", str(tmp_path / "out"), *more]
    monkeypatch.setattr("sys.argv", line)
    with pytest.raises(SystemExit) as ended:
        main.main()
    assert ended.value.code == 2
    assert message in capsys.readouterr().err
