"""Implementation of `tfvae train` and `tfvae evaluate`."""

import dataclasses
from collections.abc import Collection
from pathlib import Path
from typing import Any

import tensorflow as tf
from rich.markup import escape
from rich.table import Table

from tfvae._errors import reason
from tfvae.callbacks import NonFiniteLossError
from tfvae.cli.commands.output import plain_warnings
from tfvae.cli.commands.saying import console, say
from tfvae.cli.interrupt import Interruptible
from tfvae.cli.progress import TrainingProgress
from tfvae.evaluation.baseline import baseline_warning
from tfvae.evaluation.report import collapse_warning, rows
from tfvae.evaluation.table_report import COLUMN_TITLES, column_rows
from tfvae.training import run as runs
from tfvae.training.config import RunConfig
from tfvae.training.evaluate import evaluate as evaluate_run
from tfvae.training.load_data import load_data
from tfvae.training.run_data import RunData
from tfvae.training.run_folder import RunFolder
from tfvae.training.saved_run import load_run
from tfvae.training.shared_programs import SharedPrograms

# Columns of a table that are printed.
_MAX_COLUMNS = 20


def train(
    config: RunConfig,
    run_dir: Path | None,
    *,
    resume: bool,
    given: Collection[str] = (),
    allow_code: bool = False,
    programs: SharedPrograms | None = None,
) -> None:
    """Runs `tfvae train`.

    Args:
        config: Configuration of the run.
        run_dir: Its folder.
        resume: Whether to resume it.
        given: Training settings that were given on the command line.
        allow_code: Whether the configuration may name networks of the user's own.
        programs: Programs that several runs of the process share.
    """
    started: list[RunFolder] = []
    with TrainingProgress(console) as progress, Interruptible() as interruptible:

        def on_start(folder: RunFolder, num_examples: int) -> None:
            started.append(folder)
            progress.num_examples = num_examples

        def on_stage(stage: str) -> None:
            interruptible.check()
            say(stage)

        try:
            with plain_warnings():
                folder, report = runs.train(
                    config,
                    run_dir,
                    resume=resume,
                    given=given,
                    allow_code=allow_code,
                    programs=programs,
                    callbacks=[progress, interruptible],
                    on_stage=on_stage,
                    on_start=on_start,
                    stop_wanted=lambda: interruptible.requested,
                )
        except KeyboardInterrupt:
            raise InterruptedError(f"interrupted. {_resume_hint(started)}") from None
        except NonFiniteLossError as error:
            raise FloatingPointError(f"{error} {_resume_hint(started)}") from error
        except tf.errors.OpError as error:  # for example a full disk while TensorBoard writes, or a lost worker
            if not started:
                raise
            raise OSError(f"{type(error).__name__}: {reason(error)}. {_resume_hint(started)}") from error
        except OSError as error:
            if started and "--resume" not in str(error):
                raise OSError(f"{error}. {_resume_hint(started)}") from error
            raise
    if report:  # only the chief has one
        _print_report(folder, report)


def _resume_hint(started: list[RunFolder]) -> str:
    if not started:
        return "Training has not started."
    saved = started[0].saved_checkpoints()
    last = f"The last checkpoint is {saved[-1][1]}." if saved else "There is no checkpoint yet, so training restarts."
    return (
        f"{last} Resume with `tfvae train --resume {started[0].path}`, optionally with another --learning-rate or "
        "--beta."
    )


def evaluate(run_dir: Path, **settings: int | None) -> None:
    """Runs `tfvae evaluate`."""
    run = load_run(run_dir)
    changed = {name: value for name, value in settings.items() if value is not None}
    config = dataclasses.replace(run.config, evaluation=dataclasses.replace(run.config.evaluation, **changed))
    run = dataclasses.replace(run, config=config)
    with plain_warnings():
        report = evaluate_run(run, RunData(config, load_data(config)), thorough=True, on_stage=say)
    _print_report(run.folder, report)


def _print_columns(report: dict[str, Any]) -> None:
    """Prints what was measured of each column of a table, of many those whose distributions differ most."""
    listed = column_rows(report, _MAX_COLUMNS)
    if not listed:
        return
    number = len(report["columns"])
    some = "" if len(listed) == number else f", the {len(listed)} of {number} that differ most"
    table = Table(title=f"columns{some} (nats; TV: total variation distance of sampled rows)", title_justify="left")
    shown = [place for place, title in enumerate(COLUMN_TITLES) if title not in ("kind", "± rows")]
    for place in shown:
        table.add_column(COLUMN_TITLES[place], justify="right" if place else "left", no_wrap=place > 0)
    for row in listed:
        table.add_row(*(escape(row[place]) for place in shown))
    console.print(table)


def _print_report(folder: RunFolder, report: dict[str, Any]) -> None:
    table = Table(title=report["title"], title_justify="left")
    table.add_column()
    table.add_column("± examples", justify="right")
    table.add_column("± draws", justify="right")
    table.add_column()
    for row in rows(report):
        table.add_row(*row)
    console.print(table)
    _print_columns(report)
    for warning in (collapse_warning(report), baseline_warning(report)):
        if warning is not None:
            say(f"warning: {warning}")
    places = (
        ("report", folder.report_markdown),
        ("figures", folder.figures),
        ("model", folder.model),
        ("SavedModel", folder.saved_model),
        ("TensorBoard", f"tensorboard --logdir {folder.tensorboard}"),
    )
    for name, place in places:
        say(f"  {name:<12} {place}")
