"""Lazy imports of the modules behind the commands, so that `--help` is instant."""

import contextlib
import importlib
import logging
import os
import sys
import tempfile
from collections.abc import Iterator
from types import ModuleType


def commands(name: str) -> ModuleType:
    """Imports a module of `tfvae.cli.commands` while hiding the start-up messages of TensorFlow.

    TensorFlow writes these messages to the file descriptor before any setting of ours takes effect.
    TF_CPP_MIN_LOG_LEVEL=0 shows them.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    for library in ("tensorflow", "absl"):
        logging.getLogger(library).setLevel(logging.ERROR)
    with messages_hidden():
        return importlib.import_module(f"tfvae.cli.commands.{name}")


@contextlib.contextmanager
def messages_hidden(*expected: type[Exception]) -> Iterator[None]:
    """Hides what libraries write to standard error without going through Python. It is shown if an error is raised.

    With TF_CPP_MIN_LOG_LEVEL=0 nothing is hidden.

    Args:
        *expected: Types of errors whose message is enough, so that the output stays hidden.
    """
    if os.environ.get("TF_CPP_MIN_LOG_LEVEL") == "0":
        yield
        return
    sys.stderr.flush()
    kept = os.dup(2)
    with tempfile.TemporaryFile() as messages:
        os.dup2(messages.fileno(), 2)
        try:
            yield
        except expected:
            raise
        except BaseException:
            messages.seek(0)
            os.write(kept, messages.read())
            raise
        finally:
            os.dup2(kept, 2)
            os.close(kept)
