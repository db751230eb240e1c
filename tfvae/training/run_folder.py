"""Layout of a run folder."""

import contextlib
import csv
import os
import re
import shutil
from pathlib import Path

from tfvae._errors import reading
from tfvae._files import is_partial, take_lock, write_new
from tfvae._targets import output_folder
from tfvae.training.training_state import TrainingState

_CHECKPOINT = re.compile(r"epoch-(\d+)(?:-step-(\d+))?\.keras")


class RunFolder:
    """Paths of the files of a run. The folder itself is not created.

    Args:
        path: Run folder.
    """

    def __init__(self, path: str | os.PathLike[str]):
        self.path = Path(path)
        self.config = self.path / "config.toml"
        self.column_names = self.path / "column_names.json"
        self.environment = self.path / "environment.json"
        self.metrics = self.path / "metrics.csv"
        self.tensorboard = self.path / "tensorboard"
        self.checkpoints = self.path / "checkpoints"
        self.model = self.path / "model.keras"
        self.saved_model = self.path / "saved_model"
        self.litert = self.path / "litert"
        self.onnx = self.path / "onnx"
        self.figures = self.path / "figures"
        self.report_json = self.path / "report.json"
        self.report_markdown = self.path / "report.md"
        self.per_example = self.path / "per_example.npz"
        self.score_reference = self.path / "score_reference.npz"
        self._lock_file: int | None = None

    def own_files(self) -> tuple[Path, ...]:
        """Returns the files of the run outside its subfolders."""
        return (
            self.config, self.column_names, self.environment, self.metrics, self.model, self.per_example,
            self.report_json, self.report_markdown, self.score_reference,
        )  # fmt: skip

    def require_free(self) -> None:
        """Raises ValueError if the path exists already or cannot be written to."""
        parent = next(parent for parent in self.path.absolute().parents if parent.exists())
        if not parent.is_dir() or not os.access(parent, os.W_OK):
            raise ValueError(f"The run folder {self.path} cannot be created: {parent} is not a writable folder.")
        is_other = self.path.exists() and not self.path.is_dir()
        if is_other or (self.path.is_dir() and self._has_other_files() and not self.config.exists()):
            raise ValueError(
                f"{self.path} exists and is not a run folder. Choose another name with --run-dir. Nothing was changed."
            )
        if self.config.exists():
            raise ValueError(
                f"The folder {self.path} contains a run. Resume it with `tfvae train --resume {self.path}`, or choose "
                "another name with --run-dir. Nothing was changed."
            )
        output_folder(self.path)

    def claim(self, config: str) -> None:
        """Creates the folder with its `config.toml`. Only one of several concurrent runs succeeds."""
        try:
            write_new(self.config, config.encode())
        except FileExistsError:
            self.require_free()

    def lock(self) -> None:
        """Prevents other processes from training in the folder until `unlock` or the end of this process.

        Raises:
            ValueError: If another process is training in the folder.
        """
        refusal = (
            f"Another process is training the run {self.path}. Wait until it has finished, or stop it. "
            "Nothing was changed."
        )
        self._lock_file = take_lock(self.path, refusal)

    def unlock(self) -> None:
        """Allows other processes to train in the folder."""
        if self._lock_file is not None:
            os.close(self._lock_file)
            self._lock_file = None

    def _has_other_files(self) -> bool:
        return any(not is_partial(path.name) for path in self.path.iterdir())

    def require_run(self) -> None:
        """Raises ValueError if the folder does not contain a run."""
        if not self.config.is_file():
            raise ValueError(
                f"{self.path} is not a run folder: it has no config.toml. Create a run with "
                f"`tfvae train --run-dir {self.path}`."
            )

    def require_model(self) -> None:
        """Raises ValueError if there is neither a model nor a checkpoint."""
        if not self.model.exists() and not self.saved_checkpoints():
            raise ValueError(
                f"The run {self.path} has no model yet, because it stopped before its first checkpoint. Resume it with "
                f"`tfvae train --resume {self.path}`."
            )

    def checkpoint(self, epochs: int, steps: int = 0) -> Path:
        """Returns the path of the checkpoint after `epochs` epochs and `steps` steps of the next."""
        return self.checkpoints / (f"epoch-{epochs:05d}" + (f"-step-{steps:07d}" if steps else "") + ".keras")

    def saved_checkpoints(self) -> list[tuple[int, Path]]:
        """Returns `(finished epochs, path)` of all checkpoints, oldest first."""
        found = ((_CHECKPOINT.fullmatch(path.name), path) for path in self.checkpoints.glob("epoch-*.keras"))
        ordered = sorted((int(match[1]), int(match[2] or 0), path) for match, path in found if match)
        return [(epochs, path) for epochs, _, path in ordered]

    def best_checkpoint(self) -> Path | None:
        """Returns the checkpoint with the highest validation ELBO, or None if no checkpoint has one."""
        best: tuple[float, Path] | None = None
        for _, path in self.saved_checkpoints():
            with contextlib.suppress(ValueError):  # skip damaged checkpoints
                elbo = TrainingState.read(path).validation_elbo
                if elbo is not None and (best is None or elbo > best[0]):
                    best = elbo, path
        return None if best is None else best[1]

    def clear_leftovers(self) -> None:
        """Removes the unfinished files and folders of a process that was killed."""
        for path in list(self.path.rglob(".*")):
            if is_partial(path.name):
                path.unlink(missing_ok=True)
        for exported in (self.saved_model, self.litert, self.onnx):
            for path in self.path.glob(f".{exported.name}-*"):
                shutil.rmtree(path, ignore_errors=True)

    def history(self) -> dict[str, list[float]]:
        """Returns the columns of `metrics.csv`. They are empty before the first epoch.

        Raises:
            ValueError: If the file is damaged.
        """
        if not self.metrics.exists():
            return {}
        with reading(self.metrics, "Expected a number in each field."):
            # A run that was killed may leave an incomplete last line, and so may one that is writing it.
            complete = self.metrics.read_text("utf-8").rpartition("\n")[0]
            lines = [line for line in csv.DictReader(complete.splitlines()) if all(line.values())]
            return {name: [float(line[name]) for line in lines] for name in (lines[0] if lines else {})}
