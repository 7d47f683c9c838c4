"""One JSON line for each thing worth knowing, on standard output; never a body, a token or a person's data."""

import logging
import sys
from collections.abc import MutableMapping
from contextvars import ContextVar
from typing import Any, Final

import msgspec
import structlog

from projections.causes import told

__all__ = ["configure", "request_id"]

request_id: Final[ContextVar[str]] = ContextVar("request_id", default="")
"""The id of the request that is being answered, for every line that is logged meanwhile."""

_LEVELS: Final = {
    "debug": logging.DEBUG,
    "info": logging.INFO,
    "warning": logging.WARNING,
    "error": logging.ERROR,
}


def configure(level: str) -> None:
    """Log lines of this level and above, ours and those of libraries, in one form."""
    shared: list[Any] = [_with_request_id, structlog.processors.add_log_level, _timestamp, _told]
    render = structlog.processors.JSONRenderer(serializer=_serialised)
    structlog.configure(
        processors=[*shared, render],
        wrapper_class=structlog.make_filtering_bound_logger(_LEVELS[level]),
        logger_factory=structlog.BytesLoggerFactory(),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[structlog.stdlib.add_logger_name, *shared],
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, _decoded],
        )
    )
    logging.basicConfig(handlers=[handler], level=max(_LEVELS[level], logging.INFO), force=True)


_timestamp: Final = structlog.processors.TimeStamper(fmt="iso", utc=True)


def _with_request_id(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    if number := request_id.get():
        event["request_id"] = number
    return event


def _told(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Errors by kind and place: their messages may quote what a person sent."""
    error = event.pop("exc_info", None)
    if isinstance(error, tuple):
        error = error[1]
    elif error is True:
        error = sys.exc_info()[1]
    if isinstance(error, BaseException):
        event["error"] = told(error)
        event["trace"] = _places(error)
    return event


def _places(error: BaseException) -> list[str]:
    places = []
    trace = error.__traceback__
    while trace is not None:
        code = trace.tb_frame.f_code
        places.append(f"{code.co_filename.rpartition('/')[2]}:{trace.tb_lineno} {code.co_qualname}")
        trace = trace.tb_next
    return places


def _serialised(event: Any, **_options: Any) -> bytes:
    return msgspec.json.encode(event, enc_hook=str)


def _decoded(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> str:
    return _serialised(event).decode()
