"""The folder of a run: what lies where."""

import csv
import os
import re
from pathlib import Path

from tfvae._files import write_bytes

_CHECKPOINT = re.compile(r"epoch-(\d+)\.keras")


class RunFolder:
    """Paths of a run's files; makes no folder by itself.

    Args:
        path: the run folder.
    """

    def __init__(self, path: str | os.PathLike[str]):
        self.path = Path(path)
        self.config = self.path / "config.toml"
        self.environment = self.path / "environment.json"
        self.metrics = self.path / "metrics.csv"
        self.tensorboard = self.path / "tensorboard"
        self.checkpoints = self.path / "checkpoints"
        self.model = self.path / "model.keras"
        self.saved_model = self.path / "saved_model"
        self.figures = self.path / "figures"
        self.report_json = self.path / "report.json"
        self.report_markdown = self.path / "report.md"

    def require_free(self) -> None:
        """Raises ValueError when something is there already, or nothing can be written there."""
        parent = next(parent for parent in self.path.absolute().parents if parent.exists())
        if not parent.is_dir() or not os.access(parent, os.W_OK):
            raise ValueError(f"The run folder {self.path} cannot be made: {parent} is no folder one can write into.")
        if self.path.is_file() or (self.path.is_dir() and any(self.path.iterdir()) and not self.config.exists()):
            raise ValueError(
                f"{self.path} exists and is no run folder. Choose another name with --run-dir. Nothing was changed."
            )
        if self.config.exists():
            raise ValueError(
                f"The folder {self.path} holds a run. Continue it with `tfvae train --resume {self.path}`, or choose "
                "another name with --run-dir. Nothing was changed."
            )

    def claim(self, config: str) -> None:
        """Makes the folder with its `config.toml`; of two runs that want the same folder, one gets it."""
        self.path.mkdir(parents=True, exist_ok=True)
        try:
            with self.config.open("x", encoding="utf-8") as file:
                file.write(config)
        except FileExistsError:
            self.require_free()

    def require_run(self) -> None:
        """Raises ValueError when there is no run."""
        if not self.config.is_file():
            raise ValueError(
                f"{self.path} is no run folder: it has no config.toml. `tfvae train --run-dir {self.path}` makes one."
            )

    def saved_checkpoints(self) -> list[tuple[int, Path]]:
        """`(epochs done, path)` of every checkpoint, oldest first."""
        found = ((_CHECKPOINT.fullmatch(path.name), path) for path in self.checkpoints.glob("epoch-*.keras"))
        return sorted((int(match[1]), path) for match, path in found if match)

    def history(self) -> dict[str, list[float]]:
        """The columns of `metrics.csv`; empty before the first epoch."""
        if not self.metrics.exists():
            return {}
        with self.metrics.open(newline="") as file:
            # A run that was killed may have left half a line.
            lines = [line for line in csv.DictReader(file) if all(line.values())]
        return {name: [float(line[name]) for line in lines] for name in (lines[0] if lines else {})}

    def cut_history(self, num_epochs: int) -> None:
        """Drops the rows of epochs that the checkpoint resumed from has not seen."""
        if self.metrics.exists() and self.metrics.stat().st_size:
            header, *lines = self.metrics.read_text("utf-8").splitlines()
            names = header.split(",")
            whole = [line for line in lines if line.count(",") == len(names) - 1]
            kept = [line for line in whole if int(float(line.split(",")[names.index("epoch")])) < num_epochs]
            write_bytes(self.metrics, "\n".join([header, *kept, ""]).encode())
