"""Loading a run from its folder."""

import dataclasses
import functools
import json
import os
from typing import cast

from tfvae._errors import reading
from tfvae.models import VAE
from tfvae.models.load import load_vae
from tfvae.training.checkpoints import read_checkpoint
from tfvae.training.config import RunConfig
from tfvae.training.run_folder import RunFolder


@dataclasses.dataclass(frozen=True)
class Run:
    """Loaded run: its folder, resolved configuration and trained model."""

    folder: RunFolder
    config: RunConfig
    vae: VAE

    @functools.cached_property
    def column_names(self) -> tuple[str, ...] | None:
        """The names of the columns of counts, in the order of the model. None for other data, and without names.

        Raises:
            ValueError: If the file is damaged.
        """
        path = self.folder.column_names
        if not path.exists():
            return None
        with reading(path, "Expected a list of names."):
            return tuple(map(str, json.loads(path.read_text("utf-8"))))


def load_run(run_dir: str | os.PathLike[str]) -> Run:
    """Loads a run folder. The model is `model.keras`, or the newest checkpoint of an unfinished run.

    Raises:
        ValueError: If `run_dir` is not a run folder, or its model is missing or damaged.
    """
    folder = RunFolder(run_dir)
    folder.require_run()
    folder.require_model()
    config = RunConfig.of_run(folder.config)
    vae = load_vae(folder.model) if folder.model.exists() else read_checkpoint(folder)[0]
    return Run(folder, config, cast(VAE, vae))
