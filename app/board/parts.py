"""The parts of a board that live as long as its app."""

from dataclasses import dataclass

from app.board.access import BoardAccess
from app.board.analyst import Analyst
from app.handlers import BaseHandlers


@dataclass(slots=True)
class BoardParts:
    """The parts that the routes of a board work with.

    Attributes:
        access: Who may see it.
        analyst: The process that computes for it.
        handlers: Take a seat's turns; None where a board shows logs alone.
    """

    access: BoardAccess
    analyst: Analyst
    handlers: BaseHandlers | None = None
