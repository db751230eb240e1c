"""`tfvae export`."""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.markup import escape
from rich.table import Table

from tfvae import data as tfvae_data
from tfvae import export as tfvae_export
from tfvae._errors import reading
from tfvae.cli.commands.output import console, say
from tfvae.cli.loading import messages_hidden
from tfvae.data import ShardedSplit, Split
from tfvae.export import ConvertedModel
from tfvae.export.saving_litert import PRECISIONS
from tfvae.training.build import evaluation_split
from tfvae.training.evaluate import about_run
from tfvae.training.saved_run import Run, load_run


@dataclass(frozen=True)
class _Order:
    """What was asked for: by default the place in the run folder, whatever stands there."""

    run: Run
    output: Path | None
    overwrite: bool
    about: dict[str, Any] | None
    precisions: Sequence[Any]


def export(run_dir: Path, to: str, output: Path | None, *, overwrite: bool, precision: str | None = None) -> None:
    """`tfvae export`."""
    run = load_run(run_dir)
    about = None
    if run.folder.report_json.is_file():
        with reading(run.folder.report_json, f"`tfvae evaluate {run_dir}` writes it anew."):
            about = about_run(json.loads(run.folder.report_json.read_text("utf-8")))
    precisions = PRECISIONS if precision is None else precision.split(",")
    _TARGETS[to](_Order(run, output, overwrite or output is None, about, precisions))


def _saved_model(order: _Order) -> None:
    target = order.output or order.run.folder.saved_model
    path = tfvae_export.save(order.run.vae, target, overwrite=order.overwrite, about=order.about)
    say(f"SavedModel: {path}")


def _litert(order: _Order) -> None:
    _convert(order, tfvae_export.save_litert, "LiteRT files", order.run.folder.litert, precisions=order.precisions)


def _onnx(order: _Order) -> None:
    _convert(order, tfvae_export.save_onnx, "ONNX files", order.run.folder.onnx)


def _convert(
    order: _Order, save: Callable[..., ConvertedModel], title: str, usual_output: Path, **options: Any
) -> None:
    with messages_hidden(ValueError):
        converted = save(
            order.run.vae,
            order.output or usual_output,
            _training_data(order.run),
            overwrite=order.overwrite,
            about=order.about,
            **options,
        )
    _show(title, converted)


_TARGETS: dict[str, Callable[[_Order], None]] = {"saved-model": _saved_model, "litert": _litert, "onnx": _onnx}


def _training_data(run: Run) -> Split | ShardedSplit:
    """What the run was trained on, with its noise drawn once."""
    name = run.config.data.name
    try:
        return evaluation_split(run.config, tfvae_data.load(name).train)
    except (ValueError, OSError) as error:
        raise ValueError(
            f"The files are compared with the model on the run's training data, {name}, which cannot be read: {error}"
        ) from error


def _show(title: str, converted: ConvertedModel) -> None:
    table = Table()
    table.add_column("file", no_wrap=True)
    table.add_column("output", no_wrap=True)
    for column in ("size", "largest", "max off", "mean off"):
        table.add_column(column, justify="right")
    for found in converted.deviations:
        table.add_row(
            escape(found.file),
            escape(found.output),
            f"{converted.num_bytes[found.file] / 1024:,.0f} KiB",
            f"{found.largest:.3g}",
            f"{found.max_abs:.1e}",
            f"{found.mean_abs:.1e}",
        )
    say(f"{title}: {converted.path}")
    say(f"Their deviation from the model on {converted.num_examples:,} training examples:")
    console.print(table)
