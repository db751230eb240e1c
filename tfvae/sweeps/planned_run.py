"""One run of a sweep, and its files."""

import dataclasses
import functools
import json
from pathlib import Path

from tfvae.training.config import RunConfig
from tfvae.training.run_folder import RunFolder

_NUMBERS = ("seed", "learning_rate", "beta")  # of a training, which are values of variables


@dataclasses.dataclass(frozen=True)
class PlannedRun:
    """One run of a sweep.

    Attributes:
        variant: Name of its row in the table.
        seed: Its random seed.
        config: Its configuration.
        folder: Its place within the folder of the sweep.
    """

    variant: str
    seed: int
    config: RunConfig
    folder: Path

    @functools.cached_property
    def structure(self) -> str:
        """A key that is equal for runs that differ only in the numbers with which a model trains."""
        tables = self.config.to_dict()
        training = tables["training"]
        numbers = [name for name in _NUMBERS if isinstance(training[name], int | float)]
        others = {name: value for name, value in training.items() if name not in numbers}
        return json.dumps({**tables, "training": others}, default=str)

    def run_folder(self, sweep: Path) -> RunFolder:
        """Returns its run folder."""
        return RunFolder(sweep / self.folder)

    def settings_file(self, sweep: Path) -> Path:
        """Returns the path of the settings with which it starts."""
        return (sweep / self.folder).with_suffix(".toml")

    def log_file(self, sweep: Path) -> Path:
        """Returns the path of what its process prints."""
        return (sweep / self.folder).with_suffix(".log")

    def failure_file(self, sweep: Path) -> Path:
        """Returns the path of the reason for which it failed. The file exists only if it did."""
        return (sweep / self.folder).with_suffix(".failed.txt")
