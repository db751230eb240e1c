"""Going on with a run that ended early, and going back where the loss was no number."""

import dataclasses
import logging
from collections.abc import Collection

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

MOST_REWINDS = 5
_SMALLER = 0.5


def restore(folder: RunFolder, config: RunConfig, splits: Splits) -> tuple[VAE, TrainingState]:
    """The newest checkpoint; the beginning where the run was ended before the first. Writes nothing.

    Raises:
        ValueError: when no checkpoint can be loaded, or the run has gone further than is wanted.
    """
    vae, state = read_checkpoint(folder, config)
    if vae is None and folder.model.exists():
        raise ValueError(f"{folder.path} has ended and holds no checkpoint. Start anew under another name: --run-dir.")
    epochs, wanted = state.epochs, config.training.epochs
    if (epochs, state.steps) > (wanted, 0):
        within = f" and {state.steps} steps" if state.steps else ""
        raise ValueError(
            f"{folder.path} has done {epochs} epochs{within} already; --epochs {wanted} is fewer. Nothing was changed."
        )
    state = dataclasses.replace(state, settings=config.to_dict())
    return build_vae(config, splits) if vae is None else vae, state


def take_up(
    folder: RunFolder, config: RunConfig, vae: VAE, state: TrainingState, given: Collection[str]
) -> TrainingState:
    """Makes the folder what it was at a checkpoint, and gives the model what the user wants changed from there on.

    Args:
        folder: the run folder.
        config: what holds from here on.
        vae: the model of the checkpoint.
        state: its state.
        given: "learning_rate" or "beta", where they are to be those of `config`. Where they differ from those in the
            folder they are in any case; else they stay as the checkpoint has them.

    Returns:
        The state to go on from.
    """
    put_back(folder, state)
    before, now = RunConfig.of_run(folder.config).training, config.training
    names = ("learning_rate", "beta")
    changed = {name for name in names if name in given or getattr(before, name) != getattr(now, name)}
    if "learning_rate" in changed:
        vae.learning_rate = now.learning_rate
        state = dataclasses.replace(state, rewinds=0)
    if "beta" in changed:
        vae.beta.assign(now.beta)
    if changed and folder.saved_checkpoints():
        write_checkpoint(folder, vae, state)  # else a run killed before the next one would have forgotten them
    write_text(folder.config, config.to_toml())
    return state


def rewind(folder: RunFolder, config: RunConfig, splits: Splits) -> tuple[VAE, TrainingState]:
    """Goes back to the newest checkpoint, or to the beginning, with half the learning rate, and saves that."""
    vae, state = read_checkpoint(folder, config)
    vae = build_vae(config, splits) if vae is None else vae
    vae.scale_learning_rate(_SMALLER)
    state = dataclasses.replace(state, rewinds=state.rewinds + 1, settings=config.to_dict())
    write_checkpoint(folder, vae, state)
    put_back(folder, state)
    return vae, state


def put_back(folder: RunFolder, state: TrainingState) -> None:
    """Takes out of the folder what came after a checkpoint; of later checkpoints only damaged ones can be there."""
    folder.clear_leftovers()
    saved = [path for _, path in folder.saved_checkpoints()]
    taken = folder.checkpoint(state.epochs, state.steps)
    for path in saved[saved.index(taken) + 1 :] if taken in saved else []:
        _log.warning("%s is damaged: the run goes on from an older checkpoint.", path)
        path.rename(path.with_name(f"{path.name}.damaged"))
    write_text(folder.metrics, state.history)
    cut_events(folder.tensorboard, state.epochs)
