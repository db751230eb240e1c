"""Settings of a run for TensorBoard's HParams table."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import keras
import tensorflow as tf
from tensorboard.plugins.hparams import api

from tfvae.execution.optimizer_state import learning_rate, optimizer_name
from tfvae.models import VAE

_NUM_FOLDERS = 5  # SWEEP/runs/ROW/seed-0/tensorboard


def of_model(model: keras.Model) -> dict[str, Any]:
    """Returns the settings of a compiled model."""
    found: dict[str, Any] = {}
    name = optimizer_name(model)
    if name is not None:
        found["optimizer"] = name
        found["learning_rate"] = learning_rate(model)
    found["num_parameters"] = int(sum(variable.value.shape.num_elements() for variable in model.trainable_variables))
    if isinstance(model, VAE):
        found["estimator"] = repr(model.estimator)
        found["prior"] = type(model.prior).__name__
        found["beta"] = repr(model.kl_weighting) if model.kl_weighting is not None else model.initial_beta
        if isinstance(model.latent_shape, tuple | tf.TensorShape) and len(model.latent_shape) == 1:
            found["latent_size"] = int(model.latent_shape[0])
    return found


def write(log_dir: Path, settings: Mapping[str, Any], step: int) -> None:
    """Writes settings with the current writer.

    The HParams table has one row for all runs with the same trial. The folders of a sweep, a row and a seed are in it.
    """
    plain = {
        name: value if isinstance(value, bool | int | float | str) else str(value) for name, value in settings.items()
    }
    name = "/".join(log_dir.absolute().parts[-_NUM_FOLDERS:])
    summary = api.hparams_pb(plain, trial_id=name)
    tf.summary.experimental.write_raw_pb(summary.SerializeToString(), step=step)
