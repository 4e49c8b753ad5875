"""One error tree. A message names the thing and the next step; the command line prints it as one line."""

from __future__ import annotations


class AttentionError(Exception):
    """Anything that a person can be told in one line. `exit_code` is what the command line ends with."""

    exit_code = 1


class UsageError(AttentionError):
    """The person asked for something that cannot be: an unknown id, an empty interest, a bad rule."""

    exit_code = 2


class SourceError(AttentionError):
    """A source could not be read. `retry_after` is in seconds, when the source said so."""

    exit_code = 3

    def __init__(self, message: str, *, retry_after: float | None = None, gone: bool = False) -> None:
        super().__init__(message)
        self.retry_after = retry_after
        self.gone = gone


class StoreError(AttentionError):
    """The database cannot be opened, read or written."""

    exit_code = 4


class ModelError(AttentionError):
    """A model or its weights cannot be loaded or do not fit."""

    exit_code = 5


class DataError(AttentionError):
    """A file a person handed over cannot be understood; names the file and the line."""

    exit_code = 6


class MailError(AttentionError):
    """A letter could not be handed over. `final` when trying again is of no use, `unsure` when it may have arrived."""

    exit_code = 7

    def __init__(self, message: str, *, final: bool = False, unsure: bool = False) -> None:
        super().__init__(message)
        self.final = final
        self.unsure = unsure
