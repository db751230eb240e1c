"""Implementation of `tfvae export`."""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.markup import escape
from rich.table import Table

from tfvae import export as tfvae_export
from tfvae._errors import reading
from tfvae.cli.commands.saying import console, say
from tfvae.cli.loading import messages_hidden
from tfvae.data.any_split import AnySplit
from tfvae.export import ConvertedModel
from tfvae.export.manifest import write_card, write_source
from tfvae.export.saving_litert import PRECISIONS
from tfvae.training.evaluate import about_run
from tfvae.training.load_data import load_data
from tfvae.training.model_card import figures_of, model_card
from tfvae.training.run_data import evaluation_split
from tfvae.training.saved_run import Run, load_run


@dataclass(frozen=True)
class _ExportRequest:
    """Parsed request. By default the export in the run folder is written or replaced."""

    run: Run
    output: Path | None
    overwrite: bool
    about: dict[str, Any] | None
    card: str | None
    precisions: Sequence[Any]

    def add_card(self, path: Path) -> None:
        if self.card is not None:
            say(f"model card: {write_card(path, self.card, figures_of(self.run.folder))}")


def export(run_dir: Path, to: str, output: Path | None, *, overwrite: bool, precision: str | None = None) -> None:
    """Runs `tfvae export`."""
    run = load_run(run_dir)
    about = card = None
    if run.folder.report_json.is_file():
        with reading(run.folder.report_json, f"`tfvae evaluate {run_dir}` rewrites it."):
            report = json.loads(run.folder.report_json.read_text("utf-8"))
            about, card = about_run(report), model_card(run.folder, report)
    precisions = PRECISIONS if precision is None else precision.split(",")
    _TARGETS[to](_ExportRequest(run, output, overwrite or output is None, about, card, precisions))


def _saved_model(request: _ExportRequest) -> None:
    target = request.output or request.run.folder.saved_model
    path = tfvae_export.save(request.run.vae, target, overwrite=request.overwrite, about=request.about)
    if request.run.folder.model.is_file():  # else the model of a checkpoint
        write_source(path, request.run.folder.model)
    say(f"SavedModel: {path}")
    request.add_card(Path(path))


def _litert(request: _ExportRequest) -> None:
    _convert(
        request, tfvae_export.save_litert, "LiteRT files", request.run.folder.litert, precisions=request.precisions
    )


def _onnx(request: _ExportRequest) -> None:
    _convert(request, tfvae_export.save_onnx, "ONNX files", request.run.folder.onnx)


def _convert(
    request: _ExportRequest, save: Callable[..., ConvertedModel], title: str, default_output: Path, **options: Any
) -> None:
    with messages_hidden(ValueError):
        converted = save(
            request.run.vae,
            request.output or default_output,
            _training_data(request.run),
            overwrite=request.overwrite,
            about=request.about,
            **options,
        )
    _show(title, converted)
    request.add_card(Path(converted.path))


_TARGETS: dict[str, Callable[[_ExportRequest], None]] = {"saved-model": _saved_model, "litert": _litert, "onnx": _onnx}


def _training_data(run: Run) -> AnySplit:
    """Loads the training data of the run, with its noise drawn once."""
    name = run.config.data.name
    try:
        return evaluation_split(run.config, load_data(run.config).train)
    except (ValueError, OSError) as error:
        raise ValueError(
            f"The training data of the run, {name}, cannot be read, but exported files are compared on them. {error}"
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
    say(f"Deviation from the model on {converted.num_examples:,} training examples:")
    console.print(table)
