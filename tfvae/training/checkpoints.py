"""Checkpoints of a run: whole models, and how far training had come."""

import dataclasses
import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from tfvae._errors import quoted, reason
from tfvae._files import replacing
from tfvae.models import VAE
from tfvae.models.load import load_vae
from tfvae.training.config import RESUMABLE, EvaluationConfig, RunConfig
from tfvae.training.epoch_clock import EpochClock
from tfvae.training.run_folder import RunFolder
from tfvae.training.training_state import TrainingState

_PUT_BACK = "Put it back, or start a new run: `tfvae train --config RUN/config.toml`."
# The data may have been moved; what is measured at the end changes no step.
_MAY_CHANGE = {
    "data.name",
    *(f"training.{name}" for name in RESUMABLE),
    *(f"evaluation.{field.name}" for field in dataclasses.fields(EvaluationConfig)),
}


class Checkpoints(keras.callbacks.Callback):
    """Saves after every `every`-th epoch and the last, and within epochs where it is asked to; keeps the newest.

    Put it after the callbacks that write `metrics.csv`, and after `clock` and `StopOnNonFinite`.

    Args:
        folder: the run folder.
        start: where this fit goes on.
        clock: of the same fit.
        every: epochs between two checkpoints.
        every_steps: steps of an epoch between two, about; 0 is none within epochs.
        keep: how many of the newest are kept; the one with the highest validation ELBO is kept besides.
        stop_wanted: asked after each execution and epoch; when it says yes, a checkpoint is saved and `fit` ends with
            a KeyboardInterrupt.

    Raises:
        OSError: from `fit`, when a checkpoint cannot be written; the last one is as it was.
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
        stop_wanted: Callable[[], bool] = lambda: False,
    ):
        super().__init__()
        self._folder = folder
        self._start = start
        self._clock = clock
        self._every = every
        self.every_steps = every_steps  # `fit` ends its calls there
        self.start_from_epoch = 0  # a `BetaSchedule` moves it: epochs before it are not compared
        self._keep = keep
        self._stop_wanted = stop_wanted
        self._epoch = 0
        self._batch = 0

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        self._epoch = epoch

    def on_train_batch_begin(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        self._batch = batch

    def on_train_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        done = batch + 1
        is_new = self._epoch > self._start.epochs or done > self._start.steps
        # A run that goes on takes its first batch for a full one, which the last of an epoch may not be.
        if done > self.params["steps"] - 2:
            return
        stop = self._stop_wanted()
        if not is_new:  # all that was done is saved already
            if stop:
                raise KeyboardInterrupt
            return
        due = self.every_steps and done // self.every_steps > self._batch // self.every_steps
        # A loss that was finite may have spoiled the weights; the next one will say so.
        if (stop or due) and _all_finite(self.model):
            means = tuple(tuple(float(v.numpy()) for v in metric.variables) for metric in self.model.metrics)
            self._save(epochs=self._epoch, steps=done, running_means=means, seconds=self._clock.seconds)
        if stop:
            raise KeyboardInterrupt

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        done, stop = epoch + 1, self._stop_wanted()
        if stop or done % self._every == 0 or done == self.params["epochs"]:
            elbo = (logs or {}).get("val_elbo", math.nan) if epoch >= self.start_from_epoch else math.nan
            self._save(epochs=done, validation_elbo=float(elbo) if math.isfinite(elbo) else None)
        if stop:
            raise KeyboardInterrupt

    def _save(self, **position: Any) -> None:
        history = self._folder.metrics.read_text("utf-8") if self._folder.metrics.exists() else ""
        state = TrainingState(**position, history=history, rewinds=self._start.rewinds, settings=self._start.settings)
        saved = write_checkpoint(self._folder, self.model, state)
        best = self._folder.best_checkpoint()
        for _, path in self._folder.saved_checkpoints()[: -self._keep]:
            if path not in (best, saved):
                path.unlink()


def write_checkpoint(folder: RunFolder, vae: VAE, state: TrainingState) -> Path:
    """Saves a model and its state under the name that belongs to them.

    Raises:
        OSError: when it cannot be written; what stood there stays.
    """
    path = folder.checkpoint(state.epochs, state.steps)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with replacing(path) as beside:
            vae.save(beside)
            state.add_to(beside)
    except (OSError, RuntimeError) as error:  # HDF5 has a RuntimeError for some failed writes
        raise OSError(
            f"The checkpoint {path} cannot be written: {reason(error)}. What was saved before is as it was. Make room, "
            f"then go on with `tfvae train --resume {folder.path}`."
        ) from error
    return path


def read_checkpoint(folder: RunFolder, config: RunConfig | None = None) -> tuple[VAE | None, TrainingState]:
    """The newest checkpoint that can be loaded; no model, and the state of a beginning, where there is none at all.

    Args:
        folder: the run folder.
        config: what the checkpoint has to be of; None takes any.

    Raises:
        ValueError: when there are some, and all are damaged or of another configuration.
    """
    damage: ValueError | None = None
    for _, path in reversed(folder.saved_checkpoints()):
        try:
            return _read(folder, path, config)
        except ValueError as error:  # an older one is better than none
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
        raise ValueError(f"{path} holds a model that is not compiled, so training cannot go on from it.")
    if config is not None and tuple(vae.latent_shape) != (config.model.latent_size,):
        raise ValueError(
            f"{path} has latents of shape {tuple(vae.latent_shape)}, but the configuration says model.latent_size = "
            f"{config.model.latent_size}. {_PUT_BACK}"
        )
    return vae, state


def _require_settings(path: Path, state: TrainingState, config: RunConfig) -> None:
    """Refuses what cannot change within a run: another model, other batches or another order of the data."""
    before, now = state.settings or {}, config.to_dict()
    for table, settings in before.items():
        for name, value in settings.items():
            # JSON has lists for tuples; a setting that one of the versions lacks is not compared.
            if f"{table}.{name}" in _MAY_CHANGE or name not in now.get(table, {}):
                continue
            wanted = json.loads(json.dumps(now[table][name]))
            if wanted != value:
                raise ValueError(
                    f"{path} was made with {table}.{name} = {quoted(value)}, but the configuration says "
                    f"{quoted(wanted)}. {_PUT_BACK}"
                )


def _all_finite(model: keras.Model) -> bool:
    return all(np.all(tf.math.is_finite(tf.cast(v.value, tf.float32))) for v in model.trainable_variables)
