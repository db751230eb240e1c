"""Automatic choices of `tfvae train` for the data, and their descriptions."""

import collections
import math
from typing import Any, NamedTuple

import numpy as np

from tfvae.data import SparseSplit, Split, Splits
from tfvae.data.any_split import AnySplit
from tfvae.parts import kinds, part_of
from tfvae.training.config import RunConfig
from tfvae.training.likelihoods import DENSITIES, SIZED, check_values, has_sizes, is_density_of_levels, of_sized
from tfvae.training.settings import ModelConfig

# Automatic number of epochs for own data: at least this many steps, within these limits.
_MIN_STEPS = 1000
_MIN_EPOCHS, _MAX_EPOCHS = 10, 100
# The same for tables, whose steps are short.
_MIN_STEPS_OF_TABLE, _MAX_EPOCHS_OF_TABLE = 8_000, 300
# Automatic batch size: so many batches in an epoch, within these limits.
_NUM_BATCHES = 50
_MIN_BATCH_SIZE, _MAX_BATCH_SIZE = 32, 500
# With at least so many batches, an epoch of a table leaves out the rows of a smaller last one.
_MANY_BATCHES = 20
# Columns of a table that are listed.
_MOST_COLUMNS = 60
# By default, one example in so many of a batch has a label, if labels are few.
_SHARE = 10


class Choice(NamedTuple):
    """Resolved setting of a run with the option that changes it."""

    name: str
    value: str
    option: str

    def __str__(self) -> str:
        return f"  {self.name:<13} {self.value}" + (f"  ({self.option})" if self.option else "")


def choose_likelihood(config: RunConfig, splits: Splits) -> Any:
    """Chooses the likelihood. By default it is Bernoulli for binary data and gray images, otherwise normal.

    Raises:
        ValueError: If the likelihood that is requested does not fit the values.
    """
    likelihood, train = config.model.likelihood, splits.train
    if has_sizes(splits):
        likelihood = of_sized(likelihood)
    if likelihood == "auto":
        if splits.schema is not None:
            return "table"
        is_gray_image = train.is_image and splits.event_shape[-1] == 1
        return "bernoulli" if train.is_binary or (is_gray_image and _in_unit_interval(splits)) else "normal"
    check_values(likelihood, splits)
    return likelihood


def choose_binarize(config: RunConfig, splits: Splits, likelihood: str) -> str:
    """Chooses the binarisation. It is "none" for binary data and for a likelihood other than Bernoulli.

    Raises:
        ValueError: If binarisation is requested with a likelihood other than Bernoulli.
    """
    binarize = config.data.binarize
    if likelihood != "bernoulli":
        if binarize not in ("auto", "none"):
            raise ValueError(
                f"data.binarize requires a Bernoulli likelihood, but the likelihood of {splits.name} is {likelihood}. "
                "Use `--likelihood bernoulli --binarize ...` (for values in [0, 1]) or `--binarize none`. "
                f"Received: data.binarize={binarize!r}"
            )
        return "none"
    if splits.train.is_binary:
        return "none"
    return "dynamic" if binarize == "auto" else binarize


def choose_standardize(config: RunConfig, splits: Splits, likelihood: str) -> str:
    """Chooses whether the model standardises. By default it does for a normal likelihood of data other than images.

    Raises:
        ValueError: If standardisation is requested with a Bernoulli likelihood.
    """
    standardize = config.model.standardize
    if likelihood != "normal":
        if standardize == "on":
            raise ValueError(
                f"model.standardize requires a normal likelihood, but the likelihood of {splits.name} is "
                f"{likelihood}. Use --likelihood normal, or omit --standardize. Received: model.standardize='on'"
            )
        return "off"
    if standardize == "auto":
        return "off" if splits.train.is_image else "on"
    return standardize


def choose_batch_size(config: RunConfig, splits: Splits) -> int:
    """Chooses the number of examples per step. 0 selects about 50 batches in an epoch, of 32 to 500 examples."""
    if config.training.batch_size:
        return config.training.batch_size
    return min(max(_MIN_BATCH_SIZE, len(splits.train) // _NUM_BATCHES), _MAX_BATCH_SIZE)


def choose_epochs(config: RunConfig, splits: Splits) -> int:
    """Chooses the number of epochs. 0 selects enough for 1,000 steps, from 10 to 100; for a table 8,000, 10 to 300."""
    if config.training.epochs:
        return config.training.epochs
    is_table = splits.schema is not None
    least, most = (_MIN_STEPS_OF_TABLE, _MAX_EPOCHS_OF_TABLE) if is_table else (_MIN_STEPS, _MAX_EPOCHS)
    return min(max(_MIN_EPOCHS, math.ceil(least / _steps(config, splits))), most)


def choose_select(config: RunConfig, splits: Splits) -> str:
    """Chooses which model to keep. "auto" never selects by the test split, even if that is the only one monitored."""
    select = config.training.select
    if config.training.keep_best:
        if splits.validation is None:
            raise ValueError(
                "training.keep_best needs validation data, and a test split must not choose the model. Give the data a "
                f"validation split, or leave it out. Received: {splits.name} without a validation split"
            )
        return "best"
    return ("last" if splits.validation is None else "best") if select == "auto" else select


def choices(config: RunConfig, splits: Splits) -> list[Choice]:
    """Describes what a resolved configuration does with the data, for the terminal and the report."""
    model, training = config.model, config.training
    passes = f"{_count(training.epochs, 'epoch')} of {_count(_steps(config, splits), 'step')}"
    kept = {"last": "the last model is kept", "best": "the model of the best validation ELBO is kept"}[training.select]
    return [
        Choice("data", _data(splits), ""),
        *_columns(splits),
        Choice("likelihood", *_likelihood(config, splits)),
        _values(config, splits.train),
        Choice(
            "network", f"{_network(model)}, {model.latent_size} latent dimensions", "--network, --hidden, --latent-size"
        ),
        *_labels(config, splits),
        Choice("training", f"{passes}, {kept}", "--epochs, --batch-size, --learning-rate, --select"),
    ]


def _columns(splits: Splits) -> list[Choice]:
    """Describes the columns of a table, a line for each."""
    schema = splits.schema
    if schema is None:
        return []
    kinds_found = collections.Counter(column.kind for column in schema)
    counts = ", ".join(f"{number} {kind}" for kind, number in kinds_found.most_common())
    lines = schema.describe().splitlines() if len(schema) <= _MOST_COLUMNS else []
    return [Choice("columns", "\n    ".join([counts, *lines]), "--columns NAME=KIND")]


def _labels(config: RunConfig, splits: Splits) -> list[Choice]:
    """Describes the condition, or the labels, of a model that has one."""
    data, model, train = config.data, config.model, splits.train
    if model.kind == "m2":
        known = int(np.sum(np.asarray(train.labels) >= 0))
        each = num_labelled(config, train)
        share = "" if each is None else f", {each} of them in each batch of {config.training.batch_size}"
        what = f"{_count(len(data.classes), 'class')}, known for {known:,} of {len(train):,} training examples{share}"
        return [Choice("labels", what, "--num-labels")]
    if train.condition_shape is None:
        return []
    if not data.condition:  # but the sizes of rows
        return []
    shape = "x".join(map(str, train.condition_shape))
    what = f"one of {_count(len(data.classes), 'class')}" if data.classes else f"numbers of shape {shape}"
    parts = [*model.conditioned, *(["prior"] if part_of(model.prior, "model.prior")[0] == "conditional" else [])]
    return [Choice("condition", f"{data.condition}, {what}, for {' and '.join(parts)}", "--condition")]


def _data(splits: Splits) -> str:
    sizes = [f"{len(split):,} {split.name.rsplit('/', 1)[-1]}" for split in _available_splits(splits)]
    train = splits.train
    missing = ""
    if isinstance(train, Split) and train.observed is not None:
        missing = f", {1 - train.observed.mean():.1%} of the values missing"
    if splits.schema is not None:
        return f"{' + '.join(sizes)} rows of {_count(len(splits.schema.used), 'column')}{missing}"
    return f"{' + '.join(sizes)} examples of shape {splits.event_shape}, {_kind(train)}{missing}"


def _network(model: ModelConfig) -> str:
    if not model.network_sizes:
        return model.network_kind
    sizes = _listed(model.network_sizes)
    if model.network_kind in kinds.OF_ANY_SHAPE:
        return f"{model.network_kind}, hidden layers of {sizes} units, {model.activation}"
    num_axes = part_of(model.network, "model.network")[1].get("num_axes")
    along = "" if num_axes is None else f" along {_count(num_axes, 'axis')}"
    return f"{model.network_kind}{along}, {sizes} filters, {model.activation}"


def _kind(train: AnySplit) -> str:
    if train.is_binary:
        return "zeros and ones"
    if train.num_levels is None:
        low, high = train.value_range
        if isinstance(train, SparseSplit):
            return f"counts from {low:,.0f} to {high:,.0f}, {train.share_of_zeros:.1%} of them zero"
        return f"floats from {low:g} to {high:g}"
    if isinstance(train, Split) and 2 * (largest := int(train.raw.max())) < train.num_levels - 1:
        return f"{train.num_levels} levels, largest value {largest}"
    return f"{train.num_levels} levels"


def _likelihood(config: RunConfig, splits: Splits) -> tuple[str, str]:
    train = splits.train
    kind = config.model.likelihood_kind
    if kind == "table":
        return "table, a distribution of its kind for each column", "--columns NAME=KIND"
    if kind == SIZED:
        arguments = part_of(config.model.likelihood, "model.likelihood")[1]
        name = "zero-inflated negative binomial" if arguments.get("zero_inflated") else "negative binomial"
        return f"{name}, with means that are shares of the size of the row", "--likelihood " + (
            "negative_binomial" if arguments.get("zero_inflated") else "zero_inflated_negative_binomial"
        )
    if kind not in ("bernoulli", "normal"):
        what = "a density of real values" if kind in DENSITIES else "a probability of each value"
        return f"{kind}, {what}", "--likelihood normal"
    if kind == "bernoulli":
        return f"Bernoulli, for {'zeros and ones' if train.is_binary else 'values in [0, 1]'}", "--likelihood normal"
    if train.num_levels is None and train.channel_added and _in_unit_interval(splits):
        return (
            "normal: floats (N, H, W) in [0, 1] are treated as series",
            "--likelihood bernoulli treats them as gray images, and so does storing them as uint8",
        )
    return "normal, a density of real values", "--likelihood bernoulli, for values in [0, 1]"


def _values(config: RunConfig, train: AnySplit) -> Choice:
    if config.model.likelihood_kind == "bernoulli":
        how = {
            "none": "unchanged",
            "dynamic": "sampled as 0 or 1 with the gray value as probability, again in each epoch",
            "static": "sampled once as 0 or 1 with the gray value as probability",
            "threshold": "set to 1 above one half, otherwise to 0",
        }[config.data.binarize]
        return Choice("values", how, "" if train.is_binary else "--binarize dynamic, static, threshold or none")
    parts = []
    if is_density_of_levels(config.model.likelihood_kind, train):
        parts.append(f"uniform noise with the width of one level is added to the {train.num_levels} levels")
    if config.model.standardize == "on":
        parts.append("standardised inside the model, log p(x) keeps the units of the data")
        return Choice("values", "; ".join(parts), "--standardize off")
    option = "--standardize on" if config.model.likelihood_kind == "normal" else ""
    return Choice("values", "; ".join(parts) or "unchanged", option)


def _count(number: int, noun: str) -> str:
    plural = {"axis": "axes", "class": "classes"}.get(noun, f"{noun}s")
    return f"{number:,} {noun if number == 1 else plural}"


def _listed(sizes: tuple[int, ...]) -> str:
    return ", ".join(map(str, sizes))


def num_labelled(config: RunConfig, train: AnySplit) -> int | None:
    """Returns the number of labelled examples in each batch. None if all have a label, or labels do not matter."""
    if config.model.kind != "m2" or train.labels is None or np.all(np.asarray(train.labels) >= 0):
        return None
    return config.data.labelled_per_batch or max(1, config.training.batch_size // _SHARE)


def num_steps(config: RunConfig, train: AnySplit) -> int:
    """Returns the number of training steps in an epoch."""
    batch_size, labelled = config.training.batch_size, num_labelled(config, train)
    if drops_remainder(config, train):
        return len(train) // batch_size
    if labelled is None:
        return math.ceil(len(train) / batch_size)
    return math.ceil(int(np.sum(np.asarray(train.labels) < 0)) / (batch_size - labelled))


def drops_remainder(config: RunConfig, train: AnySplit) -> bool:
    """Whether an epoch leaves out the rows of a smaller last batch, which are others in each epoch.

    XLA does not compile a step of another size. It takes as long as ten short steps of a table.
    """
    is_table = config.model.likelihood_kind == "table" and config.model.kind != "m2"
    return is_table and len(train) >= _MANY_BATCHES * config.training.batch_size


def _steps(config: RunConfig, splits: Splits) -> int:
    return num_steps(config, splits.train)


def _available_splits(splits: Splits) -> list[AnySplit]:
    return [split for split in (splits.train, splits.validation, splits.test) if split is not None]


def _in_unit_interval(splits: Splits) -> bool:
    return all(split.in_unit_interval for split in _available_splits(splits))
