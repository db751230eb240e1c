"""Checkpoints of a run: models with the state of training."""

import dataclasses
import json
import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from tfvae._errors import quoted, reason
from tfvae._files import replacing
from tfvae.models import VAE
from tfvae.models.load import load_vae
from tfvae.recipes.m2 import STYLE
from tfvae.training.config import RESUMABLE, EvaluationConfig, RunConfig
from tfvae.training.epoch_clock import EpochClock
from tfvae.training.run_callbacks import states_of
from tfvae.training.run_folder import RunFolder
from tfvae.training.training_state import TrainingState

_HOW_TO_CONTINUE = "Restore the setting, or start a new run: `tfvae train --config RUN/config.toml`."
# The data may have been moved, and the settings of the evaluation do not change training.
_MAY_CHANGE = {
    "data.name",
    *(f"training.{name}" for name in RESUMABLE),
    *(f"evaluation.{field.name}" for field in dataclasses.fields(EvaluationConfig)),
}


class Checkpoints(keras.callbacks.Callback):
    """Saves checkpoints after every `every` epochs and the last epoch, and optionally within epochs.

    Put it after the callbacks that write `metrics.csv`, and after `clock` and `StopOnNonFinite`.

    Args:
        folder: Run folder.
        start: State from which this fit starts.
        clock: Clock of the same fit.
        every: Number of epochs between two checkpoints.
        every_steps: Approximate number of steps between two checkpoints within an epoch. 0 saves only between epochs.
        keep: Number of newest checkpoints to keep, besides the one with the highest validation ELBO.
        comparing: Callbacks before this one whose state is part of a checkpoint.
        keep_best: Whether to save one too after each epoch with the highest validation ELBO so far.
        stop_wanted: Function that is called after each execution and epoch. If it returns True, a checkpoint is saved
            and `fit` ends with a KeyboardInterrupt.

    Raises:
        OSError: From `fit`, if a checkpoint cannot be written. The previous checkpoint is not changed.
    """

    knows_executions = True

    def __init__(
        self,
        folder: RunFolder,
        start: TrainingState,
        clock: EpochClock,
        *,
        every: int,
        every_steps: int = 0,
        keep: int = 3,
        comparing: Sequence[keras.callbacks.Callback] = (),
        keep_best: bool = False,
        stop_wanted: Callable[[], bool] = lambda: False,
    ):
        super().__init__()
        self._folder = folder
        self._start = start
        self._clock = clock
        self._every = every
        self.every_steps = every_steps  # `fit` ends its calls after about this many steps
        self.start_from_epoch = 0  # a `BetaSchedule` increases it, and earlier epochs are not compared
        self._keep = keep
        self._comparing = comparing
        self._keep_best = keep_best
        self._highest = -math.inf
        self._stop_wanted = stop_wanted
        self._epoch = 0
        self._batch = 0

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        best = self._folder.best_checkpoint() if self._keep_best else None
        if best is not None:
            self._highest = TrainingState.read(best).validation_elbo or -math.inf

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        self._epoch = epoch

    def on_train_batch_begin(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        self._batch = batch

    def on_train_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        done = batch + 1
        is_new = self._epoch > self._start.epochs or done > self._start.steps
        # A resumed run assumes that its first batch is full, which the last batch of an epoch may not be.
        if done > self.params["steps"] - 2:
            return
        stop = self._stop_wanted()
        if not is_new:  # these steps are saved already
            if stop:
                raise KeyboardInterrupt
            return
        due = self.every_steps and done // self.every_steps > self._batch // self.every_steps
        # Weights may be non-finite after a finite loss. The next loss shows it.
        if (stop or due) and _all_finite(self.model):
            means = tuple(tuple(float(v.numpy()) for v in metric.variables) for metric in self.model.metrics)
            self._save(epochs=self._epoch, steps=done, running_means=means, seconds=self._clock.seconds)
        if stop:
            raise KeyboardInterrupt

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        done, stop = epoch + 1, self._stop_wanted()
        elbo = (logs or {}).get("val_elbo", math.nan) if epoch >= self.start_from_epoch else math.nan
        is_best = self._keep_best and elbo > self._highest
        self._highest = max(elbo, self._highest) if math.isfinite(elbo) else self._highest
        is_last = done == self.params["epochs"] or self.model.stop_training
        if stop or is_best or is_last or done % self._every == 0:
            self._save(epochs=done, validation_elbo=float(elbo) if math.isfinite(elbo) else None)
        if stop:
            raise KeyboardInterrupt

    def _save(self, **position: Any) -> None:
        history = self._folder.metrics.read_text("utf-8") if self._folder.metrics.exists() else ""
        state = TrainingState(
            **position,
            history=history,
            rewinds=self._start.rewinds,
            settings=self._start.settings,
            callbacks=states_of(self._comparing),
            has_ended=bool(self._comparing) and self.model.stop_training,
        )
        saved = write_checkpoint(self._folder, self.model, state)
        best = self._folder.best_checkpoint()
        for _, path in self._folder.saved_checkpoints()[: -self._keep]:
            if path not in (best, saved):
                path.unlink()


def write_checkpoint(folder: RunFolder, vae: VAE, state: TrainingState) -> Path:
    """Saves a model and its state as the checkpoint of this state.

    Raises:
        OSError: If it cannot be written. An existing file is not changed.
    """
    path = folder.checkpoint(state.epochs, state.steps)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with replacing(path) as beside:
            vae.save(beside)
            state.add_to(beside)
    except (OSError, RuntimeError) as error:  # HDF5 has a RuntimeError for some failed writes
        raise OSError(
            f"The checkpoint {path} cannot be written: {reason(error)}. Earlier checkpoints were not changed. Free "
            f"disk space, then resume with `tfvae train --resume {folder.path}`."
        ) from error
    return path


def read_checkpoint(folder: RunFolder, config: RunConfig | None = None) -> tuple[VAE | None, TrainingState]:
    """Loads the newest checkpoint that is valid. Without any checkpoint, returns None and an initial state.

    Args:
        folder: Run folder.
        config: Configuration that the checkpoint must have. None accepts any configuration.

    Raises:
        ValueError: If there are checkpoints, but all are damaged or have another configuration.
    """
    damage: ValueError | None = None
    for _, path in reversed(folder.saved_checkpoints()):
        try:
            return _read(folder, path, config)
        except ValueError as error:  # try older checkpoints
            damage = damage or error
    if damage is not None:
        raise ValueError(f"No checkpoint of {folder.path} can be loaded. {damage}") from damage
    return None, TrainingState()


def _read(folder: RunFolder, path: Path, config: RunConfig | None) -> tuple[VAE, TrainingState]:
    state = TrainingState.read(path)
    if folder.checkpoint(state.epochs, state.steps) != path:
        raise ValueError(f"{path} is a copy of the checkpoint after {state.epochs} epochs and {state.steps} steps.")
    if config is not None:
        _require_settings(path, state, config)
    vae = load_vae(path)
    if getattr(vae, "optimizer", None) is None:
        raise ValueError(f"{path} contains a model that is not compiled, so training cannot resume from it.")
    shape: Any = vae.latent_shape
    shape = shape[STYLE] if isinstance(shape, Mapping) else shape
    if config is not None and tuple(shape) != (config.model.latent_size,):
        raise ValueError(
            f"{path} has latents of shape {tuple(shape)}, but the configuration has model.latent_size = "
            f"{config.model.latent_size}. {_HOW_TO_CONTINUE}"
        )
    return vae, state


def _require_settings(path: Path, state: TrainingState, config: RunConfig) -> None:
    """Raises ValueError if settings of the model, the batches or the order of the data have changed."""
    before, now = state.settings or {}, config.to_dict()
    for table, settings in before.items():
        for name, value in settings.items():
            # JSON stores tuples as lists. A setting that one of the versions lacks is not compared.
            if f"{table}.{name}" in _MAY_CHANGE or name not in now.get(table, {}):
                continue
            wanted = json.loads(json.dumps(now[table][name]))
            if wanted != value:
                raise ValueError(
                    f"{path} was written with {table}.{name} = {quoted(value)}, but the configuration has "
                    f"{quoted(wanted)}. {_HOW_TO_CONTINUE}"
                )


def _all_finite(model: keras.Model) -> bool:
    return all(np.all(tf.math.is_finite(tf.cast(v.value, tf.float32))) for v in model.trainable_variables)
