"""Data of a run as its settings say: loaded, with conditions and labels."""

import dataclasses
from typing import Literal

import numpy as np

from tfvae import data as tfvae_data
from tfvae.data import ShardedSplit, SparseSplit, Split, Splits, noise
from tfvae.data.any_split import AnySplit
from tfvae.data.classes import UNKNOWN, listed, numbers_of, with_class_numbers, with_few_labels
from tfvae.data.conditions import LABEL, one_hot
from tfvae.data.errors import DataError
from tfvae.training.check_labels import check_labels
from tfvae.training.config import RunConfig

# The fewest training examples of which some become the validation split.
_FEWEST = 10


def load_data(config: RunConfig) -> Splits:
    """Loads the data of a run.

    If the data have no validation split, `data.validation_split` of the training examples become one. The labels of a
    model with labels are numbered without gaps, and the training examples keep `data.num_labels` of them, drawn with
    `training.seed`.

    Raises:
        DataError: If the data cannot be loaded, or do not have the condition or the labels.
        ValueError: If settings do not fit the kind of model.
    """
    check_labels(config)
    data = config.data
    splits = tfvae_data.load(
        data.name,
        condition=data.condition or None,
        missing=data.missing or None,
        label=data.label or None,
        columns=data.columns,
        id=data.id or None,
        weight=data.weight or None,
        image_size=data.image_size or None,
    )
    if config.model.kind != "m2":
        return with_validation(splits, data.validation_split)
    numbered = with_class_numbers(splits.in_memory("labels for a model of them"))
    found = with_validation(Splits(splits.name, **numbered), data.validation_split).in_memory("labels")
    if config.data.num_labels:
        found["train"] = with_few_labels(found["train"], config.data.num_labels, config.training.seed)
    return Splits(splits.name, **found)


def with_validation(splits: Splits, share: float) -> Splits:
    """Returns splits with a validation split, which is drawn from the training examples if there is none.

    Shards stay as they are, and so do less than ten training examples. The draw does not depend on the seed of the run,
    so that runs with other seeds can be compared.
    """
    train = splits.train
    if not share or splits.validation is not None or not isinstance(train, Split) or len(train) < _FEWEST:
        return splits
    order = noise.permutation(len(train), 0)
    size = min(max(1, round(share * len(train))), len(train) - 1)
    held_out = dataclasses.replace(train.rows(np.sort(order[-size:])), name=f"{splits.name}/validation")
    return dataclasses.replace(splits, train=train.rows(np.sort(order[:-size])), validation=held_out)


def load_other_data(
    config: RunConfig,
    data: str,
    split: str,
    missing: str | None = None,
    *,
    id: str | None = None,
    misfits: Literal["error", "missing"] = "error",
) -> AnySplit:
    """Loads other data for the model of a run, with the conditions that it needs, whose classes are those of the run.

    Images of a folder are resized as those of the run.

    Args:
        config: The resolved configuration of the run.
        data: Name or path of the data.
        split: "train", "validation" or "test", for data with splits of their own.
        missing: As `data.missing`. None is that of the run.
        id: As `data.id`. None is that of the run.
        misfits: As for `tfvae.data.load_examples`.

    Raises:
        DataError: If the data cannot be loaded, do not have the condition, or have a class that the model does not
            know.
    """
    condition = config.data.condition
    missing = config.data.missing if missing is None else missing
    found = tfvae_data.load_examples(
        data,
        split=split,
        condition=condition or None,
        missing=missing or None,
        image_size=config.data.image_size or None,
        label=config.data.label or None,
        columns=config.data.columns,
        id=id or config.data.id or None,
        misfits=misfits,
    )
    if isinstance(found, ShardedSplit):
        if condition and (found.condition_names or ()) != config.data.classes:
            raise DataError(
                f"{found.name} has other classes of the condition than the training data. Load it from a file that is "
                f"no folder of shards. Expected {listed(config.data.classes)}. "
                f"Received: {listed(found.condition_names or ())}"
            )
        return found
    if condition == LABEL and found.condition is None:
        numbers = numbers_of(found, config.data.classes)
        if (numbers == UNKNOWN).any():
            raise DataError(f"{found.name} has labels that are unknown (-1), but the model needs each as a condition.")
        return _with_condition(found, one_hot(numbers, len(config.data.classes)), config)
    names, condition_of = found.condition_names, found.given if isinstance(found, SparseSplit) else found.condition
    if names is not None and condition_of is not None and names != config.data.classes:
        labelled = dataclasses.replace(found, labels=condition_of.argmax(axis=1), class_names=names)
        numbers = numbers_of(labelled, config.data.classes)
        return _with_condition(found, one_hot(numbers, len(config.data.classes)), config)
    if config.model.kind == "m2" and found.labels is not None:
        return dataclasses.replace(
            found, labels=numbers_of(found, config.data.classes), class_names=config.data.classes
        )
    return found


def _with_condition(split: Split | SparseSplit, condition: np.ndarray, config: RunConfig) -> Split | SparseSplit:
    return split.with_condition(condition, config.data.classes)
