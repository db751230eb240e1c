"""Options of `tfvae score`."""

from typing import Annotated

import typer

from tfvae._errors import quoted
from tfvae.cli import checks
from tfvae.cli.arguments import DataArgument, IdOption, OutputOption, RunArgument, SeedOption, SplitOption
from tfvae.cli.loading import commands
from tfvae.cli.output_path import checked_output


def score(
    run: RunArgument,
    data: DataArgument = None,
    expected_share: Annotated[
        float, typer.Option(min=0, max=1, help="Share of usual examples that may be called unusual.")
    ] = 0.01,
    num_importance_samples: Annotated[int, typer.Option(min=1, help="Importance samples per example.")] = 100,
    id: IdOption = None,
    label: Annotated[
        str | None,
        typer.Option(help="Column of a table that has the classes, for --anomaly.", show_default="the run's"),
    ] = None,
    anomaly: Annotated[
        list[str] | None,
        typer.Option(
            help="Class of the anomalies, to print how well the scores find them (AUROC). May be repeated.",
            show_default=False,
        ),
    ] = None,
    split: SplitOption = "test",
    missing: Annotated[
        str | None,
        typer.Option(help="As for `tfvae train`, for this file.", show_default="the run's"),
    ] = None,
    seed: SeedOption = 0,
    output: OutputOption = None,
) -> None:
    """Find unusual examples: a .csv, .tsv, .parquet, .feather or .npz with log p(x), how unusual it is, and why."""
    config = checks.check_run(run)
    is_table = bool(config.data.columns)
    target = checked_output(output, is_table=True) or run / "scores.csv"
    if is_table and data is None:
        data = config.data.name  # all rows, in the order of the file
    if label is not None and not (is_table and anomaly):
        raise ValueError(
            "--label is for tables, with --anomaly CLASS; other data have their own labels. "
            f"Received: --label {quoted(label)}"
        )
    if anomaly and is_table and not (label or config.data.label):
        raise ValueError("--anomaly needs the column of the classes. Give it with --label COLUMN.")
    missing = config.data.missing if missing is None else missing
    checks.check_examples(data or config.data.name, config.data, split, missing)
    checks.check_outputs(run, data or config.data.name, target)
    score_command = commands("score")
    options = score_command.Scoring(expected_share, num_importance_samples, id, label, tuple(anomaly or ()), seed)
    score_command.score(run, data, split, missing, options, target)
