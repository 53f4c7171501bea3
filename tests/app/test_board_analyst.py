"""The board's process, as the server sees it."""

import asyncio
import sys
from pathlib import Path

import pytest

from app.board.analyst import Analyst
from app.errors import ApiError

SILENT = """import pathlib, sys
sys.stdin.readline()
pathlib.Path(sys.argv[1]).touch()
sys.stdin.read()
"""
"""A process that hears a question and never answers."""


def test_a_question_without_an_answer_holds_up_no_stop(tmp_path: Path) -> None:
    heard = tmp_path / "heard"

    async def ask_and_stop() -> None:
        analyst = Analyst([sys.executable, "-c", SILENT, str(heard)])
        question = asyncio.create_task(analyst.ask("tracks"))
        async with asyncio.timeout(30):
            while not heard.exists():  # noqa: ASYNC110 (a process has no event of ours)
                await asyncio.sleep(0.01)
            analyst.end_streams()
            try:
                await question
            finally:
                analyst.close()

    with pytest.raises(ApiError) as refused:
        asyncio.run(ask_and_stop())
    assert (refused.value.status, refused.value.code) == (503, "stopping")
