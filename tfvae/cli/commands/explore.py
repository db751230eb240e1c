"""`tfvae explore`."""

import os
import re
import sys
import threading
import webbrowser
from collections.abc import Sequence
from pathlib import Path

from tfvae.cli.commands.output import say

# Before anything else of the servers: it says what to install where something is missing.
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
    """`tfvae explore`."""
    from fastapi import FastAPI

    from tfvae.serving.explore import add_explore, explored_run

    run = load_run(run_dir)
    explored = explored_run(run, split=split, num_examples=num_examples, on_stage=say)
    has_rest = (run.folder.saved_model / MODEL_FILE).is_file()
    # A run that has not ended has no SavedModel yet; its newest checkpoint can be explored all the same.
    name = _in_an_address(explored.name)
    app = serving.make_app(serving.ServedModel(run_dir, name)) if has_rest else FastAPI(openapi_url=None)

    def on_start(address: str) -> None:
        say(f"{explored.name}: open {address}/explore/")
        if has_rest:
            say(f"  beside it    {address}/v1/models/{name}, {address}/docs")
        say("Ctrl-C ends it.")
        if _has_browser() if open_page is None else open_page:
            threading.Thread(target=webbrowser.open, args=[f"{address}/explore/"], daemon=True).start()

    serving.run_app(add_explore(app, explored), host, port, allowed_hosts=allowed_hosts, on_start=on_start)
    say("ended")


def _in_an_address(name: str) -> str:
    """The name of a folder without what no part of an address has, spaces first of all."""
    return re.sub(r"[^\w.+~-]+", "-", name)


def _has_browser() -> bool:
    """Whether a window can be opened: not over ssh, where a browser in the terminal would take it over."""
    if sys.platform in ("darwin", "win32"):
        return True
    return any(os.environ.get(name) for name in ("DISPLAY", "WAYLAND_DISPLAY"))
