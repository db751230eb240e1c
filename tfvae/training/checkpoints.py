"""Checkpoints of a run: whole models."""

from typing import Any

import keras

from tfvae.training.run_folder import RunFolder


class Checkpoints(keras.callbacks.Callback):
    """Saves the whole model, optimizer included, after every `every`-th epoch and the last; keeps the newest three.

    Args:
        folder: the run folder.
        every: epochs between two checkpoints.
    """

    keep = 3

    def __init__(self, folder: RunFolder, every: int):
        super().__init__()
        self.folder = folder
        self.every = every

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Saves where it is due."""
        done = epoch + 1
        if done % self.every == 0 or done == self.params["epochs"]:
            self.folder.checkpoints.mkdir(parents=True, exist_ok=True)
            self.model.save(self.folder.checkpoints / f"epoch-{done:05d}.keras")
            for _, path in self.folder.saved_checkpoints()[: -self.keep]:
                path.unlink()
