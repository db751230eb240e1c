"""`tfvae export`."""

from pathlib import Path

from tfvae import export as tfvae_export
from tfvae.cli.commands.output import say
from tfvae.training.saved_run import load_run


def export(run_dir: Path, output: Path | None, overwrite: bool) -> None:
    """`tfvae export`."""
    run = load_run(run_dir)
    path = tfvae_export.save(run.vae, output or run.folder.saved_model, overwrite=overwrite or output is None)
    say(f"SavedModel: {path}")
