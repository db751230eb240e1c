"""The modules behind the commands, imported when a command runs, so that help is instant."""

import importlib
import logging
import os
import sys
import tempfile
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
    sys.stderr.flush()
    kept = os.dup(2)
    with tempfile.TemporaryFile() as messages:
        os.dup2(messages.fileno(), 2)
        try:
            return importlib.import_module(f"tfvae.cli.commands.{name}")
        except BaseException:
            messages.seek(0)
            os.write(kept, messages.read())
            raise
        finally:
            os.dup2(kept, 2)
            os.close(kept)
