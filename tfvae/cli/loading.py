"""The modules behind the commands, imported when a command runs, so that help is instant."""

import contextlib
import importlib
import logging
import os
import sys
import tempfile
from collections.abc import Iterator
from types import ModuleType


def commands(name: str) -> ModuleType:
    """A module of `tfvae.cli.commands`, imported with TensorFlow's start-up messages kept off the screen.

    TensorFlow prints them to the file descriptor before any setting of ours counts. TF_CPP_MIN_LOG_LEVEL=0 shows them.
    """
    level = os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    for library in ("tensorflow", "absl"):
        logging.getLogger(library).setLevel(logging.ERROR)
    if level == "0":
        return importlib.import_module(f"tfvae.cli.commands.{name}")
    with messages_hidden():
        return importlib.import_module(f"tfvae.cli.commands.{name}")


@contextlib.contextmanager
def messages_hidden(*expected: type[Exception]) -> Iterator[None]:
    """Keeps off the screen what libraries write to standard error past Python; an error shows it after all.

    Args:
        *expected: types of errors that say all there is to say.
    """
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
