"""The parameters of a transformer as the settings of a run."""

from typing import Any

import numpy as np
from sklearn.utils import check_array

from tfvae._checks import number, whole_number
from tfvae._errors import quoted
from tfvae.training.config import ModelConfig, TrainingConfig


def settings(transformer: Any, seed: int) -> tuple[ModelConfig, TrainingConfig]:
    """Returns the settings of the model and of its training.

    Raises:
        ValueError: If a parameter is out of range.
    """
    given = {name: _plain(value) for name, value in transformer.get_params(deep=False).items()}
    if given["handle_unknown"] not in ("error", "missing"):
        raise ValueError(
            f'`handle_unknown` must be "error" or "missing". Received: handle_unknown={quoted(given["handle_unknown"])}'
        )
    number(given["validation_fraction"], "validation_fraction", at_least=0, below=1)
    whole_number(given["num_importance_samples"], "num_importance_samples")
    for name in ("epochs", "batch_size"):
        given[name] = 0 if given[name] is None else whole_number(given[name], name)
    model = {name: given[name] for name in ("latent_size", "hidden", "activation", "network", "prior")}
    training = {name: given[name] for name in ("epochs", "batch_size", "learning_rate", "beta", "estimator")}
    return ModelConfig(**model), TrainingConfig(**training, seed=seed)


def _plain(value: Any) -> Any:
    """Returns numbers of NumPy, as a search over parameters gives them, as those of Python."""
    if isinstance(value, np.generic | np.ndarray):
        return value.tolist()
    return tuple(map(_plain, value)) if isinstance(value, list | tuple) else value


def checked_weights(sample_weight: Any, x: Any) -> np.ndarray | None:
    """Returns weights `[N]`, float32, or None.

    Raises:
        ValueError: If there is not one finite weight for each row, one is negative, or all are zero.
    """
    if sample_weight is None:
        return None
    weights = check_array(sample_weight, ensure_2d=False, dtype=np.float32, input_name="sample_weight")
    if weights.shape != (len(x),):
        raise ValueError(
            f"`sample_weight` must have one weight for each of the {len(x)} rows. Received: sample_weight of shape "
            f"{weights.shape}"
        )
    if (weights < 0).any() or not (weights > 0).any():
        raise ValueError(
            "`sample_weight` must not have negative weights, and not be zero for all rows. Received: weights from "
            f"{weights.min():g} to {weights.max():g}"
        )
    return weights
