"""The one place where an error becomes an answer."""

import logging

from app.responses import HttpResponse, error_body
from core.errors import (
    EventLogError,
    InputError,
    InvalidFilter,
    NoCandidatesLeft,
    StateUnavailable,
    StrategiesFailed,
)
from core.limited_log import LimitedLog
from engine.metrics import ServerMetrics

LOG = logging.getLogger("segue")


class ApiError(Exception):
    """An error that answers a request; the request changes nothing.

    Attributes:
        status: HTTP status code.
        code: Name of the error, for programs.
        message: What must hold, what was found, what to do.
        field: The field or header at fault.
    """

    def __init__(self, status: int, code: str, message: str, field: str | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message
        self.field = field


_SCHEMES = {"Authorization": b"Bearer", "Segue-Key": b"Segue-Key"}
"""Header that a 401 asks for -> the scheme that it names."""


def error_response(
    error: Exception, metrics: ServerMetrics | None = None, said: LimitedLog | None = None
) -> HttpResponse:
    """Answer a request with an error, and count it.

    Args:
        error: What went wrong; an error that is not ours is logged with its traceback.
        metrics: Counts the refusal; a 500 is our fault and does not count as one.
        said: Logs the traceback, once a minute for each place in the code.
    """
    known = _as_api_error(error)
    if known is None:
        message = "a request failed with an unhandled exception; it was rolled back"
        if said is not None:
            said.error(_place_of(error), message, exc_info=error)
        else:
            LOG.error(message, exc_info=error)
        return HttpResponse(500, INTERNAL)
    if metrics is not None:
        metrics.count_refusal(known.code)
    scheme = _SCHEMES.get(known.field or "") if known.status == 401 else None
    headers = () if scheme is None else ((b"www-authenticate", scheme),)
    return HttpResponse(known.status, error_body(known.code, known.message, known.field), headers)


def _place_of(error: Exception) -> str:
    """Name the exception and the line that raised it."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    line = "" if trace is None else f"{trace.tb_frame.f_code.co_filename}:{trace.tb_lineno}"
    return f"{type(error).__name__} {line}"


INTERNAL = error_body("internal", "the server failed on this request; its log has the traceback")


def _as_api_error(error: Exception) -> ApiError | None:
    if isinstance(error, ApiError):
        return error
    if isinstance(error, NoCandidatesLeft):
        return ApiError(422, "nothing_left", f"{error}; exclude fewer tracks", "exclude")
    if isinstance(error, InvalidFilter):
        return ApiError(422, "invalid", str(error), "filter")
    if isinstance(error, EventLogError):  # `EventWriter` has logged it
        message = "the event log cannot be written, so the server answers no request"
        return ApiError(503, "log_unwritable", message)
    if isinstance(error, StateUnavailable):
        return ApiError(503, "state_unavailable", str(error))
    if isinstance(error, StrategiesFailed):  # `FailureLog` has logged the traceback
        return ApiError(500, "strategies_failed", str(error))
    if isinstance(error, InputError):
        return ApiError(422, "faulty_config", str(error))
    return None
