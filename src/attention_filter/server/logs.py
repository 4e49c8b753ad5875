"""The server's log: one line an event, for people at a terminal, JSON anywhere else.

It says what happened and how long it took, never to whom or about what: routes as templates, jobs by number, errors by
their kind. No titles, no queries, no names, no addresses of sources.
"""

from __future__ import annotations

import sys

import structlog


def configure(*, terminal: bool | None = None) -> None:
    """Set the log up for this process, on standard error; by default its kind is asked."""
    pretty = sys.stderr.isatty() if terminal is None else terminal
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.dev.ConsoleRenderer() if pretty else structlog.processors.JSONRenderer(),
        ],
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=True,
    )
