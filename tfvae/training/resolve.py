"""A configuration with every choice made for the data."""

import dataclasses
from pathlib import Path

from tfvae._targets import expanded
from tfvae.data import Splits, known_names
from tfvae.data.shard_header import is_shards
from tfvae.training.choices import (
    choose_binarize,
    choose_epochs,
    choose_likelihood,
    choose_select,
    choose_standardize,
)
from tfvae.training.config import RunConfig


def resolve(config: RunConfig, splits: Splits) -> RunConfig:
    """Returns the configuration with every "auto" replaced by a choice for the data.

    Raises:
        ValueError: If the data do not fit the configuration.
    """
    model, data = config.model, config.data
    likelihood = choose_likelihood(config, splits)
    name = data.name
    path = Path(name) if name in known_names() else expanded(name)
    if name not in known_names() and ((path.suffix in (".npy", ".npz") and path.exists()) or is_shards(path)):
        name = str(path.resolve())  # the run can be evaluated from any folder
    activation = {"mlp": "tanh", "conv": "relu"}[model.network] if model.activation == "auto" else model.activation
    return dataclasses.replace(
        config,
        data=dataclasses.replace(data, name=name, binarize=choose_binarize(config, splits, likelihood)),
        model=dataclasses.replace(
            model,
            likelihood=likelihood,
            activation=activation,
            standardize=choose_standardize(config, splits, likelihood),
        ),
        training=dataclasses.replace(
            config.training, epochs=choose_epochs(config, splits), select=choose_select(config, splits)
        ),
    )
