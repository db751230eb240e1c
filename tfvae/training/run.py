"""A run from beginning to end: train, save, evaluate, draw, export."""

import datetime
import os
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import keras

from tfvae import data as tfvae_data
from tfvae import export
from tfvae._files import write_json, write_text
from tfvae.callbacks import StopOnNonFinite, VAETensorBoard
from tfvae.data import Split, Splits
from tfvae.models import VAE, load_model
from tfvae.training.build import build_vae, evaluation_split, num_steps, resolve, training_batches
from tfvae.training.checkpoints import Checkpoints
from tfvae.training.config import RunConfig
from tfvae.training.environment import environment
from tfvae.training.evaluate import evaluate
from tfvae.training.run_folder import RunFolder
from tfvae.training.saved_run import Run

# About this many checkpoints, image grids and histograms a run, however many epochs it has.
_SNAPSHOTS = 20


def train(
    config: RunConfig,
    run_dir: str | os.PathLike[str] | None = None,
    *,
    resume: bool = False,
    callbacks: Sequence[keras.callbacks.Callback] = (),
    on_stage: Callable[[str], None] = lambda stage: None,
    on_start: Callable[[RunFolder, int], None] = lambda folder, num_examples: None,
) -> tuple[RunFolder, dict[str, Any]]:
    """Trains a model and fills a run folder.

    Nothing is written before the data are loaded and checked and the model is built.

    Args:
        config: what to do; of a resumed run, the one in its folder, with more epochs if wanted.
        run_dir: the run folder; None is `runs/<data>-<time>`.
        resume: whether to go on from the newest checkpoint in `run_dir`.
        callbacks: further Keras callbacks, such as a progress bar.
        on_stage: called with a line of text when a stage begins.
        on_start: called with the folder and the number of training examples, when training begins.

    Returns:
        The folder, and the report as `report.json` holds it.

    Raises:
        ValueError: for bad data or settings, or a folder that holds a run already.
        NonFiniteLossError: when the loss turns NaN; the newest checkpoint is from before that.
    """
    folder = RunFolder(_default_run_dir(config) if run_dir is None else run_dir)
    folder.require_run() if resume else folder.require_free()
    on_stage(f"loading {config.data.name}")
    splits = tfvae_data.load(config.data.name)
    config = resolve(config, splits)
    vae, epochs_done = _restore(folder) if resume else (build_vae(config, splits), 0)
    validation = evaluation_split(config, monitored_split(splits))
    vae.check_data(validation.x)
    if resume:
        _resume_with(config, vae, folder, epochs_done)
        write_text(folder.config, config.to_toml())
    else:
        folder.claim(config.to_toml())
        write_json(folder.environment, environment())
    on_start(folder, len(splits.train))
    _fit(vae, config, splits, validation, folder, epochs_done, callbacks)
    vae.save(folder.model)
    report = evaluate(Run(folder, config, vae), splits, on_stage=on_stage)
    on_stage("exporting")
    export.save(vae, folder.saved_model, overwrite=True)
    return folder, report


def _default_run_dir(config: RunConfig) -> Path:
    name = Path(config.data.name).stem.replace(":", "-")
    now = datetime.datetime.now()
    path = Path("runs") / f"{name}-{now:%Y%m%d-%H%M%S}"
    return path if not path.exists() else path.with_name(f"{path.name}-{now:%f}-{os.getpid()}")


def _restore(folder: RunFolder) -> tuple[VAE, int]:
    saved = folder.saved_checkpoints()
    if not saved:
        raise ValueError(
            f"{folder.path} has no checkpoint to resume from. Start anew under another name with --run-dir."
        )
    error: ValueError | None = None
    for epochs_done, path in reversed(saved):
        try:
            return load_model(path), epochs_done
        except ValueError as damaged:  # an older one is better than none
            error = damaged
    raise ValueError(f"No checkpoint of {folder.path} can be loaded. {error}") from error


def _resume_with(config: RunConfig, vae: VAE, folder: RunFolder, epochs_done: int) -> None:
    """Takes up what a resumed run may change: more epochs, another learning rate, another beta."""
    if config.training.epochs < epochs_done:
        raise ValueError(
            f"{folder.path} has done {epochs_done} epochs already; --epochs {config.training.epochs} is fewer. "
            "Nothing was changed."
        )
    folder.cut_history(epochs_done)
    vae.optimizer.learning_rate.assign(config.training.learning_rate)
    vae.beta.assign(config.training.beta)


def monitored_split(splits: Splits) -> Split:
    """What the validation curves show: the validation split, or the test split where there is none.

    Nothing is chosen by it: the model that is kept is the last one.
    """
    return splits.validation or splits.test or splits.train


def _fit(
    vae: VAE,
    config: RunConfig,
    splits: Splits,
    validation: Split,
    folder: RunFolder,
    epochs_done: int,
    callbacks: Sequence[keras.callbacks.Callback],
) -> None:
    epochs = config.training.epochs
    if epochs_done >= epochs:
        return
    every = max(1, epochs // _SNAPSHOTS)
    vae.fit(
        training_batches(config, splits.train, epochs_done=epochs_done),
        steps_per_epoch=num_steps(config, splits.train),
        shuffle=False,
        validation_data=validation.batches(max(config.training.batch_size, 500)),
        epochs=epochs,
        initial_epoch=epochs_done,
        verbose=0,
        callbacks=[
            StopOnNonFinite(),
            _EpochSeconds(),
            keras.callbacks.CSVLogger(str(folder.metrics), append=epochs_done > 0),
            VAETensorBoard(folder.tensorboard, image_every=every, histogram_every=every),
            Checkpoints(folder, every),
            *callbacks,
        ],
    )


class _EpochSeconds(keras.callbacks.Callback):
    """Adds `seconds` to the epoch's logs, for the callbacks after it."""

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        self._started = time.perf_counter()

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        if logs is not None:
            logs["seconds"] = time.perf_counter() - self._started
