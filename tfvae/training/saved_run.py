"""A run read back from its folder."""

import dataclasses
import os

from tfvae.models import VAE, load_model
from tfvae.training.config import RunConfig
from tfvae.training.run_folder import RunFolder


@dataclasses.dataclass(frozen=True)
class Run:
    """A run read back: its folder, resolved configuration and trained model."""

    folder: RunFolder
    config: RunConfig
    vae: VAE


def load_run(run_dir: str | os.PathLike[str]) -> Run:
    """Reads a run folder: its model is `model.keras`, or the newest checkpoint of a run that has not ended.

    Raises:
        ValueError: when it is no run folder, or its model is missing or damaged.
    """
    folder = RunFolder(run_dir)
    folder.require_run()
    saved = folder.saved_checkpoints()
    path = folder.model if folder.model.exists() or not saved else saved[-1][1]
    return Run(folder, RunConfig.of_run(folder.config), load_model(path))
