"""The command line: all commands, and how an error ends."""

import os
import sys
from typing import Annotated

import typer

from tfvae._errors import reason, without_graph
from tfvae._version import __version__
from tfvae.cli import data, explore, reproduce, runs, serving, train

app = typer.Typer(
    name="tfvae",
    help="Train, watch, evaluate and export variational autoencoders.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
for command in (
    train.train,
    runs.evaluate,
    runs.compare,
    runs.report,
    runs.sample,
    runs.reconstruct,
    runs.encode,
    runs.export,
    serving.serve,
    explore.explore,
    reproduce.reproduce,
):
    app.command()(command)

data_app = typer.Typer(help="Prepare data.", no_args_is_help=True)
data_app.command()(data.shard)
app.add_typer(data_app, name="data")


def main() -> None:
    """Runs the command line; an expected error is one message and exit code 1."""
    try:
        app()
    except (ValueError, TypeError, OSError, FloatingPointError, NotImplementedError) as error:
        if os.environ.get("TFVAE_TRACEBACK"):
            raise
        _fail(without_graph(str(error)).strip() or reason(error))
    except Exception as error:
        # What TensorFlow itself refuses, such as more memory than there is.
        expected = isinstance(error, MemoryError) or type(error).__module__.startswith(("tensorflow", "keras"))
        if os.environ.get("TFVAE_TRACEBACK") or not expected:
            raise
        _fail(f"{type(error).__name__}: {reason(error)} (TFVAE_TRACEBACK=1 shows where)")


def _fail(message: str) -> None:
    from rich.console import Console

    # A name of a file may be no text, which no terminal can show.
    message = message.encode("utf-8", "backslashreplace").decode()
    Console(stderr=True).print(f"[bold red]error:[/] {_escape(message)}", highlight=False, soft_wrap=True)
    sys.exit(1)


def _escape(text: str) -> str:
    from rich.markup import escape

    return escape(text)


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(__version__)
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Train, watch, evaluate and export variational autoencoders."""
