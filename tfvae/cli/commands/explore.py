"""Implementation of `tfvae explore`."""

import os
import re
import sys
import threading
import webbrowser
from collections.abc import Sequence
from pathlib import Path

from tfvae.cli.commands.saying import say

# Imported before other modules of the servers: it reports which packages to install if some are missing.
from tfvae.cli.commands.serving import serving
from tfvae.export.folders import MODEL_FILE
from tfvae.training.saved_run import load_run


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

    from tfvae.serving.explore import add_explore, explored_run

    run = load_run(run_dir)
    explored = explored_run(run, split=split, num_examples=num_examples, on_stage=say)
    has_rest = (run.folder.saved_model / MODEL_FILE).is_file()
    # An unfinished run has no SavedModel yet, but its newest checkpoint can be explored.
    name = _url_safe(explored.name)
    app = serving.make_app(serving.ServedModel(run_dir, name)) if has_rest else FastAPI(openapi_url=None)

    def on_start(address: str) -> None:
        say(f"{explored.name}: open {address}/explore/")
        if has_rest:
            say(f"  REST API     {address}/v1/models/{name}, {address}/docs")
        say("Press Ctrl-C to stop.")
        if _has_browser() if open_page is None else open_page:
            threading.Thread(target=webbrowser.open, args=[f"{address}/explore/"], daemon=True).start()

    serving.run_app(add_explore(app, explored), host, port, allowed_hosts=allowed_hosts, on_start=on_start)
    say("stopped")


def _url_safe(name: str) -> str:
    """Replaces characters that cannot occur in a URL path, such as spaces."""
    return re.sub(r"[^\w.+~-]+", "-", name)


def _has_browser() -> bool:
    """Whether a window can be opened. Over ssh a text browser might take over the terminal."""
    if sys.platform in ("darwin", "win32"):
        return True
    return any(os.environ.get(name) for name in ("DISPLAY", "WAYLAND_DISPLAY"))
