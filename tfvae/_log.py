"""The log `tfvae`, readable without any set-up."""

import logging
import sys


class _WhereNobodyListens(logging.Handler):
    """Writes to standard error, as long as the program has no handler of its own.

    Python does the same for warnings, but not for the levels below, whatever level a logger has.
    """

    def emit(self, record: logging.LogRecord) -> None:
        logger: logging.Logger | None = logging.getLogger(record.name)
        while logger is not None:
            if any(handler is not self for handler in logger.handlers):
                return
            logger = logger.parent if logger.propagate else None
        try:
            sys.stderr.write(f"{record.name}: {self.format(record)}\n")
        except Exception:
            self.handleError(record)


def make_readable() -> None:
    """Lets `logging.getLogger("tfvae").setLevel(logging.INFO)` be enough to see what tfvae says."""
    logger = logging.getLogger("tfvae")
    if not any(isinstance(handler, _WhereNobodyListens) for handler in logger.handlers):
        logger.addHandler(_WhereNobodyListens())
