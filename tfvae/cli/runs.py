"""Options of the commands that work on run folders: evaluate, sample, encode, compare and so on."""

import dataclasses
from pathlib import Path
from typing import Annotated, Literal

import typer

from tfvae._targets import require_space
from tfvae.cli import checks
from tfvae.cli.arguments import DataArgument, IdOption, OutputOption, RunArgument, SeedOption, SplitOption
from tfvae.cli.condition import checked_condition, checked_label, require_labels
from tfvae.cli.loading import commands
from tfvae.cli.output_path import ANNDATA, checked_output


def evaluate(
    run: RunArgument,
    num_importance_samples: Annotated[
        int | None, typer.Option(help="Importance samples per example for log p(x). (default: the run's)")
    ] = None,
    num_samples: Annotated[
        int | None, typer.Option(help="Samples per example for the ELBO. (default: the run's)")
    ] = None,
    num_examples: Annotated[
        int | None, typer.Option(help="Maximum number of examples for the slow parts. (default: 50)")
    ] = None,
) -> None:
    """Examine a run: latents, inference, several estimates of log p(x), gradients. Rewrites report and figures."""
    given = {"num_samples": num_samples, "num_importance_samples": num_importance_samples, "num_examples": num_examples}
    config = checks.check_run(run)
    dataclasses.replace(config.evaluation, **{name: value for name, value in given.items() if value is not None})
    checks.check_data(config.data)
    commands("training").evaluate(
        run, num_samples=num_samples, num_importance_samples=num_importance_samples, num_examples=num_examples
    )


def sample(
    run: RunArgument,
    num_samples: Annotated[int, typer.Option("--num-samples", "-n", min=1, help="Number of samples.")] = 64,
    condition: Annotated[
        str | None,
        typer.Option(help="For a conditional model: a class, numbers such as 0.5,1, or an .npy file with a condition."),
    ] = None,
    label: Annotated[str | None, typer.Option(help="For a model with labels: the class of all samples.")] = None,
    seed: SeedOption = 0,
    output: OutputOption = None,
) -> None:
    """Sample from the model: an .npz or .csv with `sample`, `mean` and `z`, and a picture; or rows of a table."""
    config = checks.check_run(run)
    given, number = checked_condition(config, condition), checked_label(config, label)
    is_table = bool(config.data.columns)
    is_counts = config.data.name.lower().endswith(ANNDATA)
    target = checked_output(output, is_table=is_table, is_counts=is_counts) or run / (
        "samples.csv" if is_table else "samples.npz"
    )
    checks.check_outputs(run, config.data.name, *_arrays_and_picture(target))
    # The size of x is unknown until the model is loaded. The size of z alone catches most mistakes.
    require_space(target, 4 * config.model.latent_size * num_samples)
    arguments = (num_samples, given, number, seed, target)
    if not commands("program_draws").sample(run, config, *arguments):
        commands("draws").sample(run, *arguments)


def reconstruct(
    run: RunArgument,
    data: DataArgument = None,
    num_examples: Annotated[
        int | None,
        typer.Option("--num-examples", "-n", min=1, help="Number of examples, from the first. (default: all)"),
    ] = None,
    split: SplitOption = "test",
    id: IdOption = None,
    seed: SeedOption = 0,
    output: OutputOption = None,
) -> None:
    """Reconstruct data through q(z|x): an .npz or .csv with `x`, `mean` and `sample`, and a picture; or table rows."""
    config = checks.check_run(run)
    is_table = bool(config.data.columns)
    default = run / ("reconstructions.csv" if is_table else "reconstructions.npz")
    target = checked_output(output, is_table=is_table) or default
    _check_draws(run, data, split, *_arrays_and_picture(target))
    arguments = (data, split, num_examples, seed, target, id)
    if not commands("program_draws").reconstruct(run, config, *arguments):
        commands("draws").reconstruct(run, *arguments)


def encode(
    run: RunArgument,
    data: DataArgument = None,
    split: SplitOption = "test",
    id: IdOption = None,
    seed: SeedOption = 0,
    output: OutputOption = None,
) -> None:
    """Encode data: an .npz or a table with the posterior's `mean`, `stddev`, a sample `z`, and `labels` if known.

    From an .h5ad file to another one: all that it has, and the means as obsm["X_tfvae"].
    """
    is_anndata = output is not None and output.suffix.lower() == ANNDATA
    if is_anndata:
        data = data or checks.check_run(run).data.name  # all cells of the file, in their order
    is_counts = is_anndata and str(data).lower().endswith(ANNDATA)
    target = checked_output(output, is_table=True, is_counts=is_counts) or run / "latents.npz"
    _check_draws(run, data, split, target)
    arguments = (data, split, seed, target, id)
    if not commands("program_draws").encode(run, checks.check_run(run), *arguments):
        commands("draws").encode(run, *arguments)


def impute(
    run: RunArgument,
    data: DataArgument = None,
    num_samples: Annotated[
        int, typer.Option("--num-samples", "-n", min=0, help="Multiple imputations, besides the means.")
    ] = 0,
    num_importance_samples: Annotated[int, typer.Option(min=1, help="Importance samples per example.")] = 1000,
    split: SplitOption = "test",
    missing: Annotated[
        str | None,
        typer.Option(
            help="nan, for NaN in the file, or the name of an array of an .npz that is False at missing values.",
            show_default="the run's, or nan",
        ),
    ] = None,
    seed: SeedOption = 0,
    output: OutputOption = None,
) -> None:
    """Impute missing values: an .npz or .csv with the conditional `mean`, and draws `sample_0`, `sample_1`, ..."""
    config = checks.check_run(run)
    is_table = bool(config.data.columns)
    missing = missing or config.data.missing or ("" if data is None and not is_table else "nan")
    target = checked_output(output, is_table=is_table) or run / ("imputed.csv" if is_table else "imputed.npz")
    if is_table and data is None:
        data = config.data.name
    checks.check_examples(data or config.data.name, config.data, split, missing)
    checks.check_outputs(run, data or config.data.name, target)
    counts = {"num_samples": num_samples, "num_importance_samples": num_importance_samples}
    commands("draws").impute(run, data, split, missing, counts, seed, target)


def predict(
    run: RunArgument,
    data: DataArgument = None,
    split: SplitOption = "test",
    id: IdOption = None,
    output: OutputOption = None,
) -> None:
    """Classify data with a model with labels: a table or .npz with the `label` and the probability of each class."""
    require_labels(checks.check_run(run), "predict")
    target = checked_output(output, is_table=True) or run / "predictions.csv"
    _check_draws(run, data, split, target)
    commands("draws").predict(run, data, split, target, id)


def export(
    run: RunArgument,
    to: Annotated[
        Literal["saved-model", "litert", "onnx"],
        typer.Option(help="Format: for TensorFlow and its server, for phones and small devices, or for onnxruntime."),
    ] = "saved-model",
    output: OutputOption = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace an existing export.")] = False,
    precision: Annotated[
        str | None, typer.Option(help="Precisions of the LiteRT files. (default: float32,float16,int8)")
    ] = None,
) -> None:
    """Export the model of a run for use without tfvae: as SavedModel, LiteRT or ONNX."""
    if precision is not None and to != "litert":
        raise ValueError(
            f"--precision requires --to litert, because other exports keep the model's precision. Received: --to {to}"
        )
    checks.check_run(run)
    checks.check_folder(output)
    commands("export").export(run, to, output, overwrite=overwrite, precision=precision)


def compare(
    runs: Annotated[list[Path], typer.Argument(metavar="RUN RUN ...", help="Run folders with reports.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder for comparison.md and comparison.svg.")] = Path(
        "comparison"
    ),
) -> None:
    """Compare runs in a table of models and numbers and in a figure of their curves."""
    checks.check_folder(output)
    commands("reports").compare(runs, output)


def report(
    run: RunArgument,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="File to write. (default: RUN/report.html)")
    ] = None,
) -> None:
    """Write the report of a run with its figures as a single, self-contained HTML file."""
    checks.check_outputs(run, None, run / "report.html" if output is None else output)
    commands("html_report").report(run, output)


def _arrays_and_picture(output: Path) -> tuple[Path, Path]:
    """Returns the paths of the arrays and of the picture that belong to an output."""
    return output, output.with_suffix(".png")


def _check_draws(run: Path, data: str | None, split: str, *outputs: Path) -> None:
    config = checks.check_run(run)
    data = config.data.name if data is None else data
    checks.check_examples(data, config.data, split)
    checks.check_outputs(run, data, *outputs)
