"""What is done with runs: measure, draw, encode, compare, report, export."""

import dataclasses
from pathlib import Path
from typing import Annotated, Literal

import typer

from tfvae._targets import require_space
from tfvae.cli import checks
from tfvae.cli.arguments import DataArgument, OutputOption, RunArgument, SeedOption, SplitOption
from tfvae.cli.loading import commands
from tfvae.cli.output_path import checked_output


def evaluate(
    run: RunArgument,
    num_importance_samples: Annotated[int | None, typer.Option(help="K for log p(x). (default: the run's)")] = None,
    num_samples: Annotated[int | None, typer.Option(help="Draws an example for the ELBO. (default: the run's)")] = None,
    num_examples: Annotated[int | None, typer.Option(help="Most examples for the slow parts. (default: 50)")] = None,
) -> None:
    """Examine a run: latents, inference, log p(x) by several ways, gradients; report and figures are written anew."""
    given = {"num_samples": num_samples, "num_importance_samples": num_importance_samples, "num_examples": num_examples}
    config = checks.check_run(run)
    dataclasses.replace(config.evaluation, **{name: value for name, value in given.items() if value is not None})
    checks.check_data(config.data.name)
    commands("training").evaluate(
        run, num_samples=num_samples, num_importance_samples=num_importance_samples, num_examples=num_examples
    )


def sample(
    run: RunArgument,
    num_samples: Annotated[int, typer.Option("--num-samples", "-n", min=1, help="How many.")] = 64,
    seed: SeedOption = 0,
    output: OutputOption = None,
) -> None:
    """Draw from the model: an .npz or .csv with `sample`, `mean` and `z`, and a picture of the means beside it."""
    config = checks.check_run(run)
    target = checked_output(output) or run / "samples.npz"
    checks.check_outputs(run, config.data.name, *_beside(target))
    # The size of x is not known before the model is loaded; that of z alone tells most slips.
    require_space(target, 4 * config.model.latent_size * num_samples)
    commands("draws").sample(run, num_samples, seed, target)


def reconstruct(
    run: RunArgument,
    data: DataArgument = None,
    num_examples: Annotated[
        int | None, typer.Option("--num-examples", "-n", min=1, help="The first n. (default: all)")
    ] = None,
    split: SplitOption = "test",
    seed: SeedOption = 0,
    output: OutputOption = None,
) -> None:
    """Reconstruct data through q(z|x): an .npz or .csv with `x`, `mean` and `sample`, and a picture beside it."""
    target = checked_output(output) or run / "reconstructions.npz"
    _check_draws(run, data, split, *_beside(target))
    commands("draws").reconstruct(run, data, split, num_examples, seed, target)


def encode(
    run: RunArgument,
    data: DataArgument = None,
    split: SplitOption = "test",
    seed: SeedOption = 0,
    output: OutputOption = None,
) -> None:
    """Encode data: an .npz or .csv with the posterior's `mean`, `stddev`, a draw `z`, and `labels` where known."""
    target = checked_output(output) or run / "latents.npz"
    _check_draws(run, data, split, target)
    commands("draws").encode(run, data, split, seed, target)


def export(
    run: RunArgument,
    to: Annotated[
        Literal["saved-model", "litert", "onnx"],
        typer.Option(help="For TensorFlow and its server, for phones and small computers, or for onnxruntime."),
    ] = "saved-model",
    output: OutputOption = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace what stands there.")] = False,
    precision: Annotated[str | None, typer.Option(help="Of LiteRT files. (default: float32,float16,int8)")] = None,
) -> None:
    """Write the run's model for use without tfvae: a SavedModel, or LiteRT or ONNX files with their deviations."""
    if precision is not None and to != "litert":
        raise ValueError(f"--precision is for --to litert. A {to} export has the precision of the model.")
    checks.check_run(run)
    checks.check_folder(output)
    commands("export").export(run, to, output, overwrite=overwrite, precision=precision)


def compare(
    runs: Annotated[list[Path], typer.Argument(metavar="RUN RUN ...", help="Run folders with reports.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder for comparison.md and comparison.png.")] = Path(
        "comparison"
    ),
) -> None:
    """Compare runs: one table of models and numbers, and their curves in one picture."""
    checks.check_folder(output)
    commands("reports").compare(runs, output)


def report(
    run: RunArgument,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="File to write; by default RUN/report.html.")
    ] = None,
) -> None:
    """Write a run's report with its figures as one HTML file that needs no other."""
    checks.check_outputs(run, None, run / "report.html" if output is None else output)
    commands("html_report").report(run, output)


def _beside(output: Path) -> tuple[Path, Path]:
    """The arrays and the picture that are written for an output."""
    return output, output.with_suffix(".png")


def _check_draws(run: Path, data: str | None, split: str, *outputs: Path) -> None:
    config = checks.check_run(run)
    data = config.data.name if data is None else data
    checks.check_data(data, split)
    checks.check_outputs(run, data, *outputs)
