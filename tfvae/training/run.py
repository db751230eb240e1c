"""Complete run: train, save, evaluate, draw, export."""

import datetime
import logging
import os
from collections.abc import Callable, Collection, Sequence
from pathlib import Path
from typing import Any

import keras

from tfvae._files import write_json
from tfvae.callbacks import NonFiniteLossError, StopOnNonFinite, VAETensorBoard
from tfvae.data import SparseSplit, Splits
from tfvae.data.sharded_split import reporting_damaged_shards
from tfvae.export.manifest import write_about, write_source
from tfvae.models import VAE
from tfvae.models.load import load_vae
from tfvae.parts import described
from tfvae.training.beta import schedule_callbacks
from tfvae.training.build import build_vae
from tfvae.training.checkpoints import Checkpoints
from tfvae.training.choices import choices
from tfvae.training.config import RunConfig
from tfvae.training.environment import environment
from tfvae.training.epoch_clock import EpochClock
from tfvae.training.evaluate import about_run, evaluate
from tfvae.training.event_files import write_reported
from tfvae.training.fast_forward import FastForward
from tfvae.training.load_data import load_data
from tfvae.training.model_card import add_card
from tfvae.training.own_code import import_own_code
from tfvae.training.resolve import resolve
from tfvae.training.resume import MAX_REWINDS, restore, resume_from, rewind
from tfvae.training.run_callbacks import RestoredCallbacks, make_callbacks
from tfvae.training.run_data import RunData
from tfvae.training.run_folder import RunFolder
from tfvae.training.saved_run import Run
from tfvae.training.shared_programs import SharedPrograms
from tfvae.training.strategies import is_chief, make_strategy, scope, worker_folder
from tfvae.training.training_state import TrainingState

_log = logging.getLogger("tfvae")

# Approximate number of checkpoints, image grids and histograms per run, independent of its number of epochs.
_SNAPSHOTS = 20
# Views of TensorBoard that are written once, and after the first epoch, so that a run killed in the second has them.
_WRITTEN_ONCE = ("graph", "hparams")


def train(
    config: RunConfig,
    run_dir: str | os.PathLike[str] | None = None,
    *,
    resume: bool = False,
    given: Collection[str] = (),
    allow_code: bool = False,
    programs: SharedPrograms | None = None,
    callbacks: Sequence[keras.callbacks.Callback] = (),
    on_stage: Callable[[str], None] = lambda stage: None,
    on_start: Callable[[RunFolder, int], None] = lambda folder, num_examples: None,
    stop_wanted: Callable[[], bool] = lambda: False,
) -> tuple[RunFolder, dict[str, Any]]:
    """Trains a model and writes a run folder.

    Nothing is written until the data are loaded and checked and the model is built.

    Args:
        config: Configuration of the run. To resume a run, its configuration, optionally with more epochs.
        run_dir: Run folder. None is `runs/<data>-<time>`.
        resume: Whether to resume from the newest checkpoint in `run_dir`, or from the start if it has no checkpoint.
        given: For a resumed run, "learning_rate" or "beta" if they are taken from `config`, even if they equal the
            setting in the folder. Otherwise they keep the value of the checkpoint.
        allow_code: Whether the configuration may name networks of the user's own, whose modules are then imported.
        programs: Programs that several runs of the process share. None is a run with its own.
        callbacks: Additional Keras callbacks, such as a progress bar. Checkpoints do not contain their state.
        on_stage: Function that is called with a line of text when a stage begins.
        on_start: Function that is called with the folder and the number of training examples when training begins.
        stop_wanted: Function that is called between executions and epochs. If it returns True, training saves a
            checkpoint and ends with a KeyboardInterrupt.

    Returns:
        The folder and the content of `report.json`, which is empty for workers other than the chief.

    Raises:
        ValueError: If data or settings are invalid, a network is the user's own without `allow_code`, the folder
            contains a run already, or another process trains the run.
        NonFiniteLossError: If the loss becomes NaN or infinite. The newest checkpoint is from before. With
            `training.on_nan = "rewind"`, only after five rewinds.
        OSError: If a checkpoint cannot be written. The previous checkpoint is not changed.
        OtherStructureError: If the model cannot share the `programs`.
    """
    import_own_code(config.model, allow_code)
    folder = RunFolder(_default_run_dir(config) if run_dir is None else run_dir)
    folder.require_run() if resume else folder.require_free()
    strategy = make_strategy(config.training.strategy)
    with worker_folder(strategy, folder) as own:
        try:
            return _train(
                config,
                own,
                strategy,
                resume,
                given,
                allow_code,
                programs or SharedPrograms(),
                callbacks,
                on_stage,
                on_start,
                stop_wanted,
            )
        finally:
            own.unlock()


def _train(
    config: RunConfig,
    folder: RunFolder,
    strategy: Any,
    resume: bool,
    given: Collection[str],
    allow_code: bool,
    programs: SharedPrograms,
    callbacks: Sequence[keras.callbacks.Callback],
    on_stage: Callable[[str], None],
    on_start: Callable[[RunFolder, int], None],
    stop_wanted: Callable[[], bool],
) -> tuple[RunFolder, dict[str, Any]]:
    if resume:
        folder.lock()
    on_stage(f"loading {config.data.name}")
    splits = load_data(config)
    config = resolve(config, splits)
    for choice in choices(config, splits):
        on_stage(str(choice))
    with scope(strategy):
        if resume:
            vae, state = restore(folder, config, splits, allow_code)
        else:
            vae, state = build_vae(config, splits, allow_code=allow_code), TrainingState(settings=config.to_dict())
        vae = programs.model(vae)
    data = RunData(config, splits)
    vae.check_data(data.validation)
    if resume:
        state = resume_from(folder, config, vae, state, given)
    else:
        folder.claim(config.to_toml())
        folder.lock()
        folder.clear_leftovers()
    if not folder.environment.exists():
        write_json(folder.environment, environment())
        if isinstance(splits.train, SparseSplit) and splits.train.column_names is not None:
            write_json(folder.column_names, list(splits.train.column_names))
    on_start(folder, len(splits.train))
    if state.epochs < config.training.epochs:
        folder.model.unlink(missing_ok=True)  # when a run is extended, the checkpoint of its last epoch is the same
    with reporting_damaged_shards(splits.train):
        while state.epochs < config.training.epochs and not state.has_ended:
            try:
                _fit(vae, data, folder, state, callbacks, stop_wanted)
                break
            except NonFiniteLossError as error:
                if config.training.on_nan != "rewind" or state.rewinds == MAX_REWINDS:
                    raise
                with scope(strategy):
                    vae, state = rewind(folder, config, splits, allow_code)
                    vae = programs.model(vae)
                _report_rewind(error, vae, state, on_stage)
    if not is_chief(strategy):
        return folder, {}
    vae = _selected(vae, config, folder, programs, on_stage)
    vae.save(folder.model)
    if strategy is not None:
        vae = load_vae(folder.model)  # evaluation and export run in one process
    on_stage("exporting")
    programs.export(vae, folder.saved_model)  # before the report, whose measures may fail
    write_source(folder.saved_model, folder.model)
    report = evaluate(Run(folder, config, vae), data, on_stage=on_stage)
    write_reported(folder.tensorboard, report)
    write_about(folder.saved_model, about_run(report))
    add_card(folder.saved_model, folder, report)
    return folder, report


def _selected(
    vae: VAE, config: RunConfig, folder: RunFolder, programs: SharedPrograms, on_stage: Callable[[str], None]
) -> VAE:
    """Returns the final model of the run."""
    best, saved = folder.best_checkpoint(), folder.saved_checkpoints()
    if config.training.select != "best" or best is None or best == saved[-1][1]:
        return vae
    on_stage(f"using the model of {best.stem}, which has the highest validation ELBO")
    return programs.model(load_vae(best))


def _default_run_dir(config: RunConfig) -> Path:
    name = Path(config.data.name).stem.replace(":", "-")
    now = datetime.datetime.now()
    path = Path("runs") / f"{name}-{now:%Y%m%d-%H%M%S}"
    return path if not path.exists() else path.with_name(f"{path.name}-{now:%f}-{os.getpid()}")


def _report_rewind(error: NonFiniteLossError, vae: VAE, state: TrainingState, on_stage: Callable[[str], None]) -> None:
    place = f"the end of epoch {state.epochs}" if state.epochs else "the start"
    if state.steps:
        place = f"epoch {state.epochs + 1}, step {state.steps}"
    text = (
        f"{error.term} was {error.value} in epoch {error.epoch}, step {error.step}: back to {place} with learning rate "
        f"{vae.learning_rate:g} (rewind {state.rewinds} of at most {MAX_REWINDS})"
    )
    _log.info(text)
    on_stage(text)


def hparams_of(config: RunConfig, splits: Splits) -> dict[str, Any]:
    """Returns the entries of a run in the HParams table: its data, and settings that differ from their defaults.

    The table shows only five settings before its metrics.
    """
    usual = resolve(RunConfig.from_dict({"data": {"name": config.data.name}}), splits).to_dict()
    tables = config.to_dict()
    chosen = {
        name: described(value)
        for table in ("model", "training")
        for name, value in tables[table].items()
        if value != usual[table][name]
    }
    name = Path(config.data.name)
    return {**chosen, "data": name.stem if name.is_absolute() else str(name)}


def _fit(
    vae: VAE,
    data: RunData,
    folder: RunFolder,
    start: TrainingState,
    callbacks: Sequence[keras.callbacks.Callback],
    stop_wanted: Callable[[], bool],
) -> None:
    config, epochs = data.config, data.config.training.epochs
    every = max(1, epochs // _SNAPSHOTS)
    clock, comparing = EpochClock(start), make_callbacks(config.training)
    vae.fit(
        data.batches(epochs_done=start.epochs),
        steps_per_epoch=data.steps_per_epoch,
        validation_data=data.validation.batches(
            max(config.training.batch_size, 500), labels=data.has_labels and data.validation.has_labels
        ),
        epochs=epochs,
        initial_epoch=start.epochs,
        verbose=0,
        callbacks=[
            StopOnNonFinite(),
            FastForward(start),
            clock,
            *schedule_callbacks(config.training.beta),
            *comparing,
            RestoredCallbacks(comparing, start.callbacks),
            *callbacks,  # changes at the end of an epoch are part of its checkpoint
            keras.callbacks.CSVLogger(str(folder.metrics), append=True),
            VAETensorBoard(
                folder.tensorboard,
                data.validation,
                every={
                    view: usual if view in _WRITTEN_ONCE else max(every, usual)
                    for view, usual in VAETensorBoard.EVERY.items()
                },
                hparams=hparams_of(config, data.splits),
            ),
            Checkpoints(
                folder,
                start,
                clock,
                every=every,
                every_steps=config.training.checkpoint_steps,
                keep=config.training.keep,
                comparing=comparing,
                keep_best=config.training.keep_best,
                stop_wanted=stop_wanted,
            ),
        ],
    )
