"""Default handler for the logger `tfvae`."""

import logging
import sys


class _FallbackHandler(logging.Handler):
    """Writes records to standard error if the program has not configured any handler.

    Python does the same for warnings, but not for lower levels.
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


def add_fallback_handler() -> None:
    """Adds a handler to the logger `tfvae`, so that setting its level to `logging.INFO` shows its messages."""
    logger = logging.getLogger("tfvae")
    if not any(isinstance(handler, _FallbackHandler) for handler in logger.handlers):
        logger.addHandler(_FallbackHandler())
