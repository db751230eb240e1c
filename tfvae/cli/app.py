"""Command-line application: the list of commands and the handling of errors."""

import os
import sys
from typing import Annotated

import typer

from tfvae._version import __version__
from tfvae.cli import data, explore, new, parts, reproduce, runs, score, serving, sweep, train
from tfvae.cli.errors import message_of

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
    new.new,
    parts.parts,
    sweep.sweep,
    runs.evaluate,
    runs.compare,
    runs.report,
    runs.sample,
    runs.reconstruct,
    runs.encode,
    runs.impute,
    score.score,
    runs.predict,
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
    """Runs the command line. An expected error prints one message and exits with code 1."""
    try:
        app()
    except Exception as error:
        message = message_of(error)
        if os.environ.get("TFVAE_TRACEBACK") or message is None:
            raise
        _fail(message)


def _fail(message: str) -> None:
    from rich.console import Console

    # A file name may contain bytes that are not valid text, which a terminal cannot print.
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
