"""The answers to the board's questions: JSON, or the same as a table in CSV or Markdown."""

import json
import logging
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from app.board.answer import BoardAnswer
from audit.board.artifacts import describe_artifacts
from audit.board.config_file import describe_config
from audit.board.configs import BoardConfigs
from audit.board.decisions import describe_decision, latest_decisions
from audit.board.list_view import overlap_of, show_list
from audit.board.sources import BoardSources
from audit.board.tables import TYPES, BoardTable
from audit.board.tracks import describe_track, find_tracks
from core.errors import InputError, SegueError

LOG = logging.getLogger("segue")
JSON = "application/json"
Question = Mapping[str, Any]
Found = dict[str, Any]


class Answers:
    """Answers of one board.

    Args:
        sources: What the board is made of.
    """

    def __init__(self, sources: BoardSources) -> None:
        self._sources = sources
        self._configs = BoardConfigs(sources)

    def experiments(self, content: Found, question: Question) -> BoardAnswer:
        """Answer with the snapshot, or with one of its tables."""
        form = question.get("format", "json")
        if form == "json":
            return _json(content)
        try:
            from audit.board.snapshot_tables import table_of
        except ModuleNotFoundError:  # without the extra there is no experiment either
            return _table(BoardTable((), ()), form)
        return _table(table_of(content, question.get("table") or "arms"), form)

    def find(self, question: Question) -> tuple[Found, BoardTable]:
        """Find the answer to a question, and its table.

        Raises:
            SegueError: The question has no answer.
        """
        what: str = question["what"]
        answer: Callable[[Question], tuple[Found, BoardTable]] = getattr(self, f"_{what}")
        return answer(question)

    def _decisions(self, question: Question) -> tuple[Found, BoardTable]:
        found = latest_decisions(
            self._sources, self._configs, question.get("listener"), question["limit"]
        )
        columns = (
            "decision", "at_ms", "user", "session", "turn", "track", "artist", "title", "strategy",
            "answered_by", "depth", "candidates", "propensity", "forced", "seat", "config",
        )  # fmt: skip
        rows = [{**each, **each["track"]} for each in found["decisions"]]
        return found, BoardTable.of(rows, columns)

    def _decision(self, question: Question) -> tuple[Found, BoardTable]:
        found = describe_decision(self._sources, self._configs, question["decision"])
        columns = ("track", "artist", "title", "chance", "drawn")
        return found, BoardTable.of(found["candidates"]["first"], columns)

    def _tracks(self, question: Question) -> tuple[Found, BoardTable]:
        runtime = self._configs.served(question.get("config"))
        found = find_tracks(runtime.catalog, question["q"], question["limit"])
        return found, BoardTable.of(found["tracks"], ("track", "artist", "title"))

    def _track(self, question: Question) -> tuple[Found, BoardTable]:
        runtime = self._configs.served(question.get("config"))
        found = describe_track(runtime, question["track"])
        return found, BoardTable.of([found], ("track", "artist", "title"))

    def _config(self, question: Question) -> tuple[Found, BoardTable]:
        found = describe_config(self._sources, self._configs, question.get("config"))
        return found, BoardTable.of(found["diff"], ("key", "served", "file"))

    def _artifacts(self, question: Question) -> tuple[Found, BoardTable]:
        found = describe_artifacts(self._configs.served(question.get("config")))
        rows: Sequence[Found] = [
            {"kind": kind, **each}
            for kind in ("lists", "vectors", "tables")
            for each in found[kind]
        ]
        columns = ("kind", "name", "of", "rows", "entries", "dimensions", "path", "checksum")
        return found, BoardTable.of(rows, columns)

    def _list(self, question: Question) -> tuple[Found, BoardTable]:
        runtime = self._configs.served(question.get("config"))
        found = show_list(runtime, question["name"], question["id"])
        return found, BoardTable.of(found["tracks"], ("rank", "track", "artist", "title", "score"))

    def _overlap(self, question: Question) -> tuple[Found, BoardTable]:
        runtime = self._configs.served(question.get("config"))
        found = overlap_of(runtime, question["a"], question["b"], question["k"])
        return found, BoardTable.of(found["histogram"], ("shared", "rows"))


def answer_of(answers: Answers, question: Question) -> BoardAnswer:
    """Answer a question; an error is an answer too."""
    form = question.get("format", "json")
    try:
        found, table = answers.find(question)
        return _json(found) if form == "json" else _table(table, form)
    except InputError as error:
        return refusal(error)
    except SegueError as error:
        return _error(422, "faulty", str(error))
    except Exception:
        LOG.exception("the board failed on %s", question)
        return _error(500, "internal", "the board failed on this; the server's log has more")


def refusal(error: InputError) -> BoardAnswer:
    """Answer with a fault: of a name in the question, or of the data behind it."""
    where = error.faults[0].where
    if where in _PLACES:
        return _error(404, "not_found", error.faults[0].what, where)
    return _error(422, "faulty", str(error))


_PLACES = ("decision", "track", "name", "id", "a", "b")
"""Places in a question; a fault there means that there is no such thing."""


def _error(status: int, code: str, message: str, field: str | None = None) -> BoardAnswer:
    body = {"error": {"code": code, "message": message, "field": field}}
    return BoardAnswer(status, JSON, json.dumps(body, ensure_ascii=False).encode())


def _json(found: Found) -> BoardAnswer:
    text = json.dumps(found, ensure_ascii=False, allow_nan=False, default=str)
    return BoardAnswer(200, JSON, text.encode())


def _table(table: BoardTable, form: str) -> BoardAnswer:
    return BoardAnswer(200, TYPES[form], table.written(form).encode())
