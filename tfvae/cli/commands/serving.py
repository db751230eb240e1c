"""Implementation of `tfvae serve`."""

import os
import sys
from collections.abc import Sequence
from pathlib import Path

from tfvae.cli.commands.saying import say
from tfvae.cli.loading import messages_hidden

try:
    from tfvae import serving
except ModuleNotFoundError as error:
    if error.name is None or error.name.startswith("tfvae"):
        raise
    raise ValueError(str(error)) from error


def serve(
    path: Path,
    port: int,
    host: str,
    *,
    allowed_hosts: Sequence[str],
    name: str | None,
    batching: bool,
    limits: dict[str, int],
) -> None:
    """Runs `tfvae serve`."""
    with messages_hidden(ValueError):
        model = serving.ServedModel(path, name)
    app = serving.make_app(model, limits=serving.Limits(**limits), batching=batching)

    def on_start(address: str) -> None:
        say(f"serving {model.name}, version {model.version}, at {address}/v1/models/{model.name}")
        say(f"  signatures   {', '.join(model.signatures)}")
        say(f"  usage        {address}/")
        say(f"  health       {address}/healthz, {address}/metrics")
        say("Press Ctrl-C to stop.")

    serving.run_app(app, host, port, allowed_hosts=allowed_hosts, on_start=on_start)
    say("stopped")
    # A computation in a thread cannot be cancelled, and a normal exit of Python would wait for it.
    sys.stdout.flush()
    os._exit(0)
