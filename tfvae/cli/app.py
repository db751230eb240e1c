"""The commands. TensorFlow is imported by the ones that compute, so that help is instant."""

import importlib
import logging
import os
import sys
import tempfile
from pathlib import Path
from types import ModuleType
from typing import Annotated, Any

import typer

from tfvae._version import __version__

app = typer.Typer(
    name="tfvae",
    help="Train, watch, evaluate and export variational autoencoders.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

data_app = typer.Typer(help="Prepare data.", no_args_is_help=True)
app.add_typer(data_app, name="data")

RunArgument = Annotated[Path, typer.Argument(metavar="RUN", help="Run folder that `tfvae train` made.")]
SeedOption = Annotated[int, typer.Option(help="Seed of the draws.", min=0)]
DataArgument = Annotated[
    str | None,
    typer.Argument(
        metavar="[DATA]",
        help="A data set's name, a .npy or .npz file or a folder of shards; by default the run's own data.",
    ),
]
SplitOption = Annotated[
    str, typer.Option(help="train, validation or test; a file with one array is taken whole, in its own order.")
]
OutputOption = Annotated[
    Path | None, typer.Option("--output", "-o", help="Where to write; by default into the run folder.")
]


def main() -> None:
    """Runs the command line; an expected error is one message and exit code 1."""
    try:
        app()
    except (ValueError, TypeError, OSError, FloatingPointError, NotImplementedError, MemoryError) as error:
        if os.environ.get("TFVAE_TRACEBACK"):
            raise
        _fail(str(error))
    except Exception as error:
        # What TensorFlow itself refuses, such as more memory than there is.
        if os.environ.get("TFVAE_TRACEBACK") or not type(error).__module__.startswith(("tensorflow", "keras")):
            raise
        _fail(f"{type(error).__name__}: {str(error).splitlines()[0]} (TFVAE_TRACEBACK=1 shows where)")


def _commands() -> ModuleType:
    """The module behind the commands, imported with TensorFlow's start-up messages kept off the screen.

    TensorFlow prints them to the file descriptor before any setting of ours counts. TF_CPP_MIN_LOG_LEVEL=0 shows them.
    """
    level = os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    for name in ("tensorflow", "absl"):
        logging.getLogger(name).setLevel(logging.ERROR)
    if level == "0":
        return importlib.import_module("tfvae.cli.commands")
    sys.stderr.flush()
    kept = os.dup(2)
    with tempfile.TemporaryFile() as messages:
        os.dup2(messages.fileno(), 2)
        try:
            return importlib.import_module("tfvae.cli.commands")
        except BaseException:
            messages.seek(0)
            os.write(kept, messages.read())
            raise
        finally:
            os.dup2(kept, 2)
            os.close(kept)


def _fail(message: str) -> None:
    from rich.console import Console

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


def _sizes(text: str | None) -> tuple[int, ...] | None:
    if text is None:
        return None
    try:
        return tuple(int(part) for part in text.split(","))
    except ValueError as error:
        raise typer.BadParameter(
            f"whole numbers with commas between them, such as 500 or 200,200; got {text!r}"
        ) from error


@app.command()
def train(
    data: Annotated[
        str | None, typer.Option(help="digits, mnist, frey_face ..., tfds:NAME, a .npy or .npz file, or shards.")
    ] = None,
    run_dir: Annotated[Path | None, typer.Option(help="Run folder to make. [default: runs/DATA-TIME]")] = None,
    config: Annotated[Path | None, typer.Option(help="TOML file of settings; options override it.")] = None,
    resume: Annotated[Path | None, typer.Option(help="Run folder to go on with, from its newest checkpoint.")] = None,
    latent_size: Annotated[int | None, typer.Option(help="Latent dimensions. [default: 20; digits: 2]")] = None,
    hidden: Annotated[str | None, typer.Option(help="Units of the mlp's hidden layers, e.g. 500 or 200,200.")] = None,
    network: Annotated[str | None, typer.Option(help="mlp or conv.")] = None,
    filters: Annotated[str | None, typer.Option(help="Channels of the conv network's levels, e.g. 32,64.")] = None,
    activation: Annotated[str | None, typer.Option(help="Activation. [default: mlp tanh, conv relu]")] = None,
    posterior: Annotated[str | None, typer.Option(help="diag or tril (full covariance).")] = None,
    likelihood: Annotated[str | None, typer.Option(help="auto, bernoulli or normal.")] = None,
    binarize: Annotated[str | None, typer.Option(help="dynamic, static, threshold or none.")] = None,
    epochs: Annotated[
        int | None, typer.Option(help="Passes over the data. [default: 10; digits: 300; frey_face: 200]")
    ] = None,
    batch_size: Annotated[int | None, typer.Option(help="Examples a step. [default: 100]")] = None,
    learning_rate: Annotated[float | None, typer.Option(help="Of Adam. [default: 0.001]")] = None,
    num_samples: Annotated[int | None, typer.Option(help="Draws of z an example in training. [default: 1]")] = None,
    kl: Annotated[str | None, typer.Option(help="analytic (estimator B) or monte_carlo (estimator A).")] = None,
    beta: Annotated[float | None, typer.Option(help="Weight of the KL. [default: 1]")] = None,
    num_importance_samples: Annotated[
        int | None, typer.Option(help="K for log p(x) at the end. [default: 500]")
    ] = None,
    seed: Annotated[int | None, typer.Option(help="Seed of everything random. [default: 0]")] = None,
    keep: Annotated[int | None, typer.Option(help="Newest checkpoints to keep, besides the best. [default: 3]")] = None,
    checkpoint_steps: Annotated[
        int | None, typer.Option(help="Steps between checkpoints within an epoch. [default: 0, none there]")
    ] = None,
    on_nan: Annotated[
        str | None,
        typer.Option(help="stop, or rewind: back one checkpoint with half the learning rate. [default: stop]"),
    ] = None,
    strategy: Annotated[
        str | None,
        typer.Option(help="none, mirrored (all GPUs) or multi_worker (several machines). [default: none]"),
    ] = None,
) -> None:
    """Train a VAE; the run folder gets the model, logs, figures, a report and a SavedModel."""
    from tfvae.training.config import RunConfig, read_toml
    from tfvae.training.run_folder import RunFolder

    options: dict[str, dict[str, Any]] = {
        "data": {"name": data, "binarize": binarize},
        "model": {
            "network": network,
            "hidden": _sizes(hidden),
            "filters": _sizes(filters),
            "activation": activation,
            "latent_size": latent_size,
            "posterior": posterior,
            "likelihood": likelihood,
        },
        "training": {
            "epochs": epochs,
            "batch_size": batch_size,
            "learning_rate": learning_rate,
            "num_samples": num_samples,
            "kl": kl,
            "beta": beta,
            "seed": seed,
            "keep": keep,
            "checkpoint_steps": checkpoint_steps,
            "on_nan": on_nan,
            "strategy": strategy,
        },
        "evaluation": {"num_importance_samples": num_importance_samples},
    }
    given = {table: {k: v for k, v in values.items() if v is not None} for table, values in options.items()}
    if resume is not None:
        if run_dir is not None or config is not None or _not_resumable(given):
            raise ValueError(
                "--resume goes on with a run as it was configured; only --epochs, --learning-rate, --beta, --keep, "
                "--checkpoint-steps, --on-nan and --strategy can be given with it. To train otherwise, start a new "
                "run: `tfvae train --config RUN/config.toml ...`."
            )
        folder = RunFolder(resume)
        folder.require_run()
        settings = RunConfig.from_toml(folder.config, given)
    else:
        settings = RunConfig.from_dict(read_toml(config) if config is not None else {}, given)
    _commands().train(
        settings, run_dir if resume is None else resume, resume=resume is not None, given=given["training"]
    )


def _not_resumable(given: dict[str, dict[str, Any]]) -> set[str]:
    resumable = {"epochs", "learning_rate", "beta", "keep", "checkpoint_steps", "on_nan", "strategy"}
    return {key for table in given.values() for key in table} - resumable


@app.command()
def evaluate(
    run: RunArgument,
    num_importance_samples: Annotated[int | None, typer.Option(help="K for log p(x). [default: the run's]")] = None,
    num_samples: Annotated[int | None, typer.Option(help="Draws an example for the ELBO. [default: the run's]")] = None,
    num_examples: Annotated[int | None, typer.Option(help="Most examples for the slow parts. [default: 50]")] = None,
) -> None:
    """Examine a run: latents, inference, log p(x) by several ways, gradients; report and figures are written anew."""
    _commands().evaluate(
        run, num_samples=num_samples, num_importance_samples=num_importance_samples, num_examples=num_examples
    )


@app.command()
def sample(
    run: RunArgument,
    num_samples: Annotated[int, typer.Option("--num-samples", "-n", min=1, help="How many.")] = 64,
    seed: SeedOption = 0,
    output: OutputOption = None,
) -> None:
    """Draw from the model: an .npz with `sample`, `mean` and `z`, and a picture of the means beside it."""
    _commands().sample(run, num_samples, seed, output)


@app.command()
def reconstruct(
    run: RunArgument,
    data: DataArgument = None,
    num_examples: Annotated[
        int | None, typer.Option("--num-examples", "-n", min=1, help="The first n. [default: all]")
    ] = None,
    split: SplitOption = "test",
    seed: SeedOption = 0,
    output: OutputOption = None,
) -> None:
    """Reconstruct data through q(z|x): an .npz with `x`, `mean` and `sample`, and a picture beside it."""
    _commands().reconstruct(run, data, split, num_examples, seed, output)


@app.command()
def encode(
    run: RunArgument,
    data: DataArgument = None,
    split: SplitOption = "test",
    seed: SeedOption = 0,
    output: OutputOption = None,
) -> None:
    """Encode data: an .npz with the posterior's `mean` and `stddev`, a draw `z`, and `labels` where there are any."""
    _commands().encode(run, data, split, seed, output)


@app.command()
def export(
    run: RunArgument,
    output: OutputOption = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace what stands there.")] = False,
) -> None:
    """Write the run's model as a SavedModel that serves without tfvae."""
    _commands().export(run, output, overwrite)


@app.command()
def compare(
    runs: Annotated[list[Path], typer.Argument(metavar="RUN RUN ...", help="Run folders with reports.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder for comparison.md and comparison.png.")] = Path(
        "comparison"
    ),
) -> None:
    """Compare runs: one table of models and numbers, and their curves in one picture."""
    _commands().compare(runs, output)


@app.command()
def report(
    run: RunArgument,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="File to write; by default RUN/report.html.")
    ] = None,
) -> None:
    """Write a run's report with its figures as one HTML file that needs no other."""
    _commands().report(run, output)


@app.command()
def reproduce(
    name: Annotated[str, typer.Argument(metavar="NAME", help="kingma-welling-2013 or burda-2016.")],
    budget: Annotated[
        str, typer.Option(help="quick (minutes), standard (hours on two cores) or full (the paper's own length).")
    ] = "quick",
    only: Annotated[
        list[str] | None, typer.Option(help="An experiment, such as figure-4; may be given several times. All if none.")
    ] = None,
    run_dir: Annotated[
        Path | None, typer.Option(help="Where the models stay. By default runs/NAME-BUDGET-seedSEED.")
    ] = None,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Where pictures and numbers go; by default the run folder.")
    ] = None,
    seed: Annotated[int, typer.Option(help="Seed of everything random.", min=0)] = 0,
) -> None:
    """Run a paper's experiments: pictures, numbers as JSON, and whether its claims hold. Goes on where it was."""
    from tfvae.papers import BUDGETS, REPRODUCTIONS

    for value, known, kind in ((name, REPRODUCTIONS, "reproduction"), (budget, BUDGETS, "budget")):
        if value not in known:
            raise ValueError(f"There is no {kind} {value!r}. There are: {', '.join(known)}.")
    _commands().reproduce(name, budget, only or [], run_dir, output, seed)


@data_app.command()
def shard(
    data: Annotated[str, typer.Argument(metavar="DATA", help="A data set's name, or a .npy or .npz file.")],
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="Folder to make.")],
    shard_size: Annotated[
        int | None, typer.Option(min=1, help="Examples in a file. [default: as many as fill 64 MB]")
    ] = None,
    seed: Annotated[int, typer.Option(help="Seed of the training examples' order.", min=0)] = 0,
) -> None:
    """Write data as TFRecord shards, which training reads bit by bit: for data larger than memory."""
    _commands().shard(data, folder, shard_size, seed)
