"""A run from beginning to end: train, save, evaluate, draw, export."""

import dataclasses
import datetime
import io
import os
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import keras

from tfvae import data as tfvae_data
from tfvae import evaluation, export
from tfvae._files import write_bytes, write_json, write_text
from tfvae.callbacks import StopOnNonFinite, VAETensorBoard
from tfvae.data import Split, Splits
from tfvae.evaluation import figures
from tfvae.evaluation.report import report_dict, report_markdown
from tfvae.models import VAE, load_model
from tfvae.training.build import build_vae, dequantizes, evaluation_split, num_steps, resolve, training_batches
from tfvae.training.checkpoints import Checkpoints
from tfvae.training.config import RunConfig
from tfvae.training.environment import environment
from tfvae.training.run_folder import RunFolder

# About this many checkpoints, image grids and histograms a run, however many epochs it has.
_SNAPSHOTS = 20


@dataclasses.dataclass(frozen=True)
class Run:
    """A run read back: its folder, resolved configuration and trained model."""

    folder: RunFolder
    config: RunConfig
    vae: VAE


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


def reported_split(splits: Splits) -> Split:
    """What the report measures: the test split, or the nearest to it there is."""
    return splits.test or splits.validation or splits.train


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


def load_run(run_dir: str | os.PathLike[str]) -> Run:
    """Reads a run folder: its model is `model.keras`, or the newest checkpoint of a run that has not ended.

    Raises:
        ValueError: when it is no run folder, or its model is missing or damaged.
    """
    folder = RunFolder(run_dir)
    folder.require_run()
    saved = folder.saved_checkpoints()
    path = folder.model if folder.model.exists() or not saved else saved[-1][1]
    return Run(folder, RunConfig.from_toml(folder.config), load_model(path))


def evaluate(run: Run, splits: Splits, *, on_stage: Callable[[str], None] = lambda stage: None) -> dict[str, Any]:
    """Measures the test data, draws the figures and writes the report; returns it as `report.json` holds it."""
    config, vae, settings = run.config, run.vae, run.config.evaluation
    raw = reported_split(splits)
    split = evaluation_split(config, raw)
    on_stage(f"measuring the ELBO of {len(split):,} examples")
    elbo = evaluation.elbo(vae, split, num_samples=settings.num_samples)
    on_stage(f"measuring log p(x) with {settings.num_importance_samples} importance samples an example")
    log_marginal = evaluation.log_marginal(vae, split, num_importance_samples=settings.num_importance_samples)
    num_levels = raw.num_levels if dequantizes(config, raw) else None
    num_dimensions = int(split.x[0].size)
    history = run.folder.history()
    seconds = sum(history.get("seconds", ()))
    epochs = len(history.get("epoch", ()))
    report = report_dict(
        elbo,
        log_marginal,
        evaluation.bits_per_dim(log_marginal, num_dimensions, num_levels),
        {
            "title": f"{splits.name}: {config.model.network}, {config.model.latent_size} latent dimensions",
            "split": raw.name,
            "epochs": epochs,
            "training_seconds": round(seconds, 3),
            "examples_per_second": round(epochs * len(splits.train) / seconds, 1) if seconds else None,
            "num_parameters": int(sum(v.value.shape.num_elements() for v in vae.trainable_variables)),
            "note": _note(config, raw),
            "config": config.to_dict(),
        },
    )
    on_stage("drawing the figures")
    names = _draw(run, split, raw, history)
    write_json(run.folder.report_json, report)
    write_text(run.folder.report_markdown, report_markdown(report, names))
    return report


def _note(config: RunConfig, raw: Split) -> str:
    if config.data.binarize == "threshold":
        return "The data are gray levels cut at one half into zeros and ones."
    if config.data.binarize != "none":
        return "The data are gray levels binarised once, by one Bernoulli draw a pixel with a fixed seed."
    if dequantizes(config, raw):
        return (
            f"The data are {raw.num_levels} levels with uniform noise of one level's width added once, with a "
            "fixed seed; log p(x) is the density of (level + noise) / levels, bits per dimension count the levels."
        )
    if config.model.likelihood == "bernoulli" and not raw.is_binary:
        return (
            "The data are gray values under a Bernoulli likelihood: the numbers are cross-entropies, no "
            "log-probabilities of the values."
        )
    if raw.num_levels is None:
        return "The data are continuous: log p(x) is a density, and bits per dimension can be negative."
    return "The data are binary."


def _draw(run: Run, split: Split, raw: Split, history: dict[str, list[float]]) -> list[str]:
    vae, x = run.vae, split.x
    drawn = {
        "reconstructions": figures.reconstructions(vae, x[:40]),
        "prior_samples": figures.prior_samples(vae),
        "latent_scatter": figures.latent_scatter(vae, x[:5000], None if raw.labels is None else raw.labels[:5000]),
    }
    if tuple(vae.latent_shape) == (2,):
        drawn["manifold"] = figures.manifold(vae)
    if history:
        drawn["training_curves"] = figures.training_curves(history)
    for name, figure in drawn.items():
        buffer = io.BytesIO()
        figure.savefig(buffer, format="png", dpi=110)
        write_bytes(run.folder.figures / f"{name}.png", buffer.getvalue())
    return list(drawn)
