"""Implementation of `tfvae explore`."""

import functools
import os
import re
import sys
import threading
import webbrowser
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tfvae.cli.commands.saying import say

# Imported before other modules of the servers: it reports which packages to install if some are missing.
from tfvae.cli.commands.serving import serving
from tfvae.cli.loading import messages_hidden
from tfvae.export.folders import MODEL_FILE
from tfvae.training.run_folder import RunFolder
from tfvae.training.run_program import manifest_of_run


def explore(
    run_dir: Path,
    port: int,
    host: str,
    *,
    allowed_hosts: Sequence[str],
    split: str,
    num_examples: int,
    open_page: bool | None = None,
) -> None:
    """Runs `tfvae explore`."""
    from fastapi import FastAPI

    from tfvae.serving.explore import add_explore

    name = _url_safe(run_dir.resolve().name)
    # An unfinished run has no SavedModel yet, but its newest checkpoint can be explored.
    served = None
    if (RunFolder(run_dir).saved_model / MODEL_FILE).is_file():
        with messages_hidden(ValueError):
            served = serving.ServedModel(run_dir, name)
    explored = _explored(run_dir, served, split, num_examples)
    app = FastAPI(openapi_url=None) if served is None else serving.make_app(served)

    def on_start(address: str) -> None:
        say(f"{explored.name}: open {address}/explore/")
        if served is not None:
            say(f"  REST API     {address}/v1/models/{name}, {address}/docs")
        say("Press Ctrl-C to stop.")
        if _has_browser() if open_page is None else open_page:
            threading.Thread(target=webbrowser.open, args=[f"{address}/explore/"], daemon=True).start()
        if explored.loading is not None:
            explored.loading.start()

    model = None if explored.loading is None else explored.loading.future
    app = add_explore(app, explored)
    serving.run_app(app, host, port, allowed_hosts=allowed_hosts, on_start=on_start, required=model)
    if model is not None and model.done():
        model.result()  # raises the error of loading, which is reported like one before the start
    say("stopped")
    if model is not None and not model.done():
        # A thread that imports TensorFlow cannot be cancelled, and Python would crash while it ends.
        sys.stdout.flush()
        os._exit(0)


def _explored(run_dir: Path, served: Any, split: str, num_examples: int) -> Any:
    """Prepares the model of a run: the exported one if it is the same, until the other is loaded."""
    from tfvae.serving.explore import explored_program

    found = None
    if served is not None and manifest_of_run(RunFolder(run_dir)) is not None:
        found = explored_program(
            run_dir,
            served.program,
            split=split,
            num_examples=num_examples,
            on_stage=say,
            loading_within=functools.partial(messages_hidden, ValueError),
        )
    if found is not None:
        return found
    with messages_hidden(ValueError):
        from tfvae.serving.explore import explored_run
        from tfvae.training.saved_run import load_run
    return explored_run(load_run(run_dir), split=split, num_examples=num_examples, on_stage=say)


def _url_safe(name: str) -> str:
    """Replaces characters that cannot occur in a URL path, such as spaces."""
    return re.sub(r"[^\w.+~-]+", "-", name)


def _has_browser() -> bool:
    """Whether a window can be opened. Over ssh a text browser might take over the terminal."""
    if sys.platform in ("darwin", "win32"):
        return True
    return any(os.environ.get(name) for name in ("DISPLAY", "WAYLAND_DISPLAY"))
