"""`tfvae export`."""

import json
from pathlib import Path

from tfvae import export as tfvae_export
from tfvae.cli.commands.output import say
from tfvae.training.evaluate import about_run
from tfvae.training.saved_run import load_run


def export(run_dir: Path, output: Path | None, overwrite: bool) -> None:
    """`tfvae export`."""
    run = load_run(run_dir)
    report = json.loads(run.folder.report_json.read_text()) if run.folder.report_json.is_file() else None
    path = tfvae_export.save(
        run.vae,
        output or run.folder.saved_model,
        overwrite=overwrite or output is None,
        about=None if report is None else about_run(report),
    )
    say(f"SavedModel: {path}")
