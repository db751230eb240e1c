"""Resuming of an interrupted run, and rewinding after a loss that is not finite."""

import dataclasses
import logging
from collections.abc import Collection

from tfvae._errors import quoted
from tfvae._files import write_text
from tfvae.data import Splits
from tfvae.models import VAE
from tfvae.training.build import build_vae
from tfvae.training.checkpoints import read_checkpoint, write_checkpoint
from tfvae.training.config import RunConfig
from tfvae.training.event_files import cut_events
from tfvae.training.run_folder import RunFolder
from tfvae.training.training_state import TrainingState

_log = logging.getLogger("tfvae")

MAX_REWINDS = 5
_LEARNING_RATE_FACTOR = 0.5


def restore(
    folder: RunFolder, config: RunConfig, splits: Splits, allow_code: bool = False
) -> tuple[VAE, TrainingState]:
    """Loads the newest checkpoint, or builds the initial model if there is none. Writes nothing.

    Raises:
        ValueError: If no checkpoint can be loaded, or the run has more epochs than requested.
    """
    vae, state = read_checkpoint(folder, config)
    if vae is None and folder.model.exists():
        raise ValueError(
            f"The run {folder.path} has finished, but has no checkpoint to resume from. Start a new run with another "
            "--run-dir."
        )
    epochs, wanted = state.epochs, config.training.epochs
    if (epochs, state.steps) > (wanted, 0):
        within = f" and {state.steps} steps" if state.steps else ""
        raise ValueError(
            f"The run {folder.path} has trained for {epochs} epochs{within} already, which is more than requested. "
            f"Choose a larger number of epochs. Nothing was changed. Received: --epochs {wanted}"
        )
    state = dataclasses.replace(state, settings=config.to_dict())
    return build_vae(config, splits, allow_code=allow_code) if vae is None else vae, state


def resume_from(
    folder: RunFolder, config: RunConfig, vae: VAE, state: TrainingState, given: Collection[str]
) -> TrainingState:
    """Restores the folder to a checkpoint, and applies changed settings to the model.

    Args:
        folder: Run folder.
        config: Configuration of the resumed run.
        vae: Model of the checkpoint.
        state: State of the checkpoint.
        given: "learning_rate" or "beta" if they are taken from `config`, even if they equal the setting in the folder.
            Settings that differ from the folder are always taken from `config`. Others keep the value of the
            checkpoint.

    Returns:
        The state from which training resumes.
    """
    discard_later_results(folder, state)
    before, now = RunConfig.of_run(folder.config).training, config.training
    names = ("learning_rate", "beta")
    changed = {name for name in names if name in given or getattr(before, name) != getattr(now, name)}
    for name in changed:
        if not isinstance(getattr(now, name), int | float) or not isinstance(getattr(before, name), int | float):
            raise ValueError(
                f"training.{name} of a run can be changed from a number to another number only. Start a new run for "
                f"another schedule or part. Received: training.{name}={quoted(getattr(now, name))}"
            )
    if "learning_rate" in changed:
        vae.learning_rate = now.learning_rate
        state = dataclasses.replace(state, rewinds=0)
    if "beta" in changed:
        vae.beta.assign(now.beta)
    if changed and folder.saved_checkpoints():
        write_checkpoint(folder, vae, state)  # the changes are kept if the run is killed before the next checkpoint
    write_text(folder.config, config.to_toml())
    return state


def rewind(folder: RunFolder, config: RunConfig, splits: Splits, allow_code: bool = False) -> tuple[VAE, TrainingState]:
    """Loads the newest checkpoint, or builds the initial model, halves the learning rate and saves the result."""
    vae, state = read_checkpoint(folder, config)
    vae = build_vae(config, splits, allow_code=allow_code) if vae is None else vae
    vae.scale_learning_rate(_LEARNING_RATE_FACTOR)
    state = dataclasses.replace(state, rewinds=state.rewinds + 1, settings=config.to_dict())
    write_checkpoint(folder, vae, state)
    discard_later_results(folder, state)
    return vae, state


def discard_later_results(folder: RunFolder, state: TrainingState) -> None:
    """Removes results that are later than a checkpoint from the folder. Later checkpoints can only be damaged ones."""
    folder.clear_leftovers()
    saved = [path for _, path in folder.saved_checkpoints()]
    taken = folder.checkpoint(state.epochs, state.steps)
    for path in saved[saved.index(taken) + 1 :] if taken in saved else []:
        _log.warning("%s is damaged. The run resumes from an older checkpoint.", path)
        path.rename(path.with_name(f"{path.name}.damaged"))
    write_text(folder.metrics, state.history)
    cut_events(folder.tensorboard, state.epochs)
