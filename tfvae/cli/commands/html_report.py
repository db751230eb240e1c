"""Implementation of `tfvae report`, which imports neither TensorFlow nor matplotlib."""

from pathlib import Path

from tfvae.cli.commands.saying import say
from tfvae.training.html_report import write_html_report


def report(run_dir: Path, output: Path | None) -> None:
    """Runs `tfvae report`."""
    say(str(write_html_report(run_dir, output)))
