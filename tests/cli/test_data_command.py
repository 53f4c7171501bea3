"""`segue data import`, as typed at a terminal."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from cli import main
from tests.core.packed import packed

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


def test_the_counts_are_printed_as_json_and_add_up(tmp_path: Path) -> None:
    path = tmp_path / "train_triplets.txt"
    path.write_text(TRIPLETS)
    command = [
        "data",
        "import",
        "taste_profile",
        str(path),
        "--to",
        str(tmp_path / "out"),
        "--json",
    ]
    counts = json.loads(CliRunner().invoke(main.build(), command).output)
    assert counts["lines"] == 4
    assert counts["used"] == 3
    assert counts["bad"] == {"must have 3 fields by tabs": 1}
    assert counts["lines"] == counts["used"] + 1 + sum(counts["left_out"].values())
    assert [file["lines"] for file in counts["files"]] == [4]


def test_period_files_and_copies_are_printed(tmp_path: Path) -> None:
    for name, track in (("a.csv", 1), ("b.csv", 1), ("c.csv", 2), ("notes.txt", 3)):
        (tmp_path / name).write_text(f"user,track,at\nann,{track},2024-01-0{track} 10:00\n")
    command = ["data", "import", "table", str(tmp_path), "--to", str(tmp_path / "out")]
    shown = CliRunner().invoke(main.build(), command).output
    assert "Period: 2024-01-01T10:00:00Z to 2024-01-02T10:00:00Z." in shown
    assert "  a.csv: 2 lines, 1 listens\n  b.csv: 2 lines, a copy of a.csv\n" in shown
    assert "Not read, because their names do not fit: notes.txt." in shown
    cells = [line.strip("│").split("│") for line in shown.splitlines() if line.startswith("│")]
    assert [(what.strip(), int(count)) for what, count in cells][:4] == [
        ("lines read", 6), ("= listens used", 2), ("+ left out: header line", 2),
        ("+ in copies of files", 2),
    ]  # fmt: skip


@pytest.mark.parametrize("packing", ["gz", "zst", "bz2", "xz"])
def test_a_cut_off_file_ends_with_2_and_writes_nothing(
    tmp_path: Path,
    packing: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    path, to = tmp_path / f"x.csv.{packing}", tmp_path / "out"
    path.write_bytes(packed(b"user,track\nann,1\n" * 500, packing)[:-5])
    monkeypatch.setattr(
        "sys.argv", ["segue", "data", "import", "table", str(path), "--to", str(to)]
    )
    with pytest.raises(SystemExit) as ended:
        main.main()
    assert ended.value.code == 2
    assert (
        capsys.readouterr()
        .err.replace("\n", " ")
        .split(": ", 2)[2]
        .startswith("is damaged or cut off (torn archive)")
    )
    assert not to.exists()
