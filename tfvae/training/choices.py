"""What `tfvae train` decides from the data, and how it says so."""

import math
from typing import NamedTuple

from tfvae.data import ShardedSplit, Split, Splits
from tfvae.training.config import RunConfig

# A run on own data whose epochs are left to it makes so many steps at least, within these numbers of epochs.
_LEAST_STEPS = 1000
_LEAST_EPOCHS, _MOST_EPOCHS = 10, 100


class Choice(NamedTuple):
    """A setting of a run as it is used, and the option that changes it."""

    name: str
    value: str
    option: str

    def __str__(self) -> str:
        return f"  {self.name:<13} {self.value}" + (f"  ({self.option})" if self.option else "")


def choose_likelihood(config: RunConfig, splits: Splits) -> str:
    """Bernoulli for zeros and ones and for gray images, normal for everything else, unless asked otherwise.

    Raises:
        ValueError: If a Bernoulli likelihood is asked for and values lie outside [0, 1].
    """
    likelihood, train = config.model.likelihood, splits.train
    if likelihood == "auto":
        is_gray_image = train.is_image and splits.event_shape[-1] == 1
        return "bernoulli" if train.is_binary or (is_gray_image and _in_unit_interval(splits)) else "normal"
    outside = next((split for split in _all(splits) if not split.in_unit_interval), None)
    if likelihood == "bernoulli" and outside is not None:
        low, high = outside.value_range
        raise ValueError(
            f"A Bernoulli likelihood takes values in [0, 1], but {outside.name} holds values from {low:g} to {high:g}. "
            "Scale the data to [0, 1] (8-bit images: store them as uint8), or use --likelihood normal."
        )
    return likelihood


def choose_binarize(config: RunConfig, splits: Splits, likelihood: str) -> str:
    """How gray values become zeros and ones: "none" where there are none or no Bernoulli likelihood.

    Raises:
        ValueError: If it is asked for under a normal likelihood.
    """
    binarize = config.data.binarize
    if likelihood != "bernoulli":
        if binarize not in ("auto", "none"):
            raise ValueError(
                f"`binarize` makes zeros and ones for a Bernoulli likelihood, but {splits.name} gets a normal one. "
                "Ask for both (`--likelihood bernoulli --binarize ...`, for values in [0, 1]), or use `--binarize "
                f"none`. Received: binarize={binarize!r}"
            )
        return "none"
    if splits.train.is_binary:
        return "none"
    return "dynamic" if binarize == "auto" else binarize


def choose_standardize(config: RunConfig, splits: Splits, likelihood: str) -> str:
    """Whether the model standardises: for a normal likelihood of what is no image, unless asked otherwise.

    Raises:
        ValueError: If it is asked for under a Bernoulli likelihood.
    """
    standardize = config.model.standardize
    if likelihood != "normal":
        if standardize == "on":
            raise ValueError(
                f"`standardize` is for a normal likelihood, but {splits.name} gets a Bernoulli one, of zeros and ones. "
                "Use --likelihood normal, or leave --standardize out. Received: standardize='on'"
            )
        return "off"
    if standardize == "auto":
        return "off" if splits.train.is_image else "on"
    return standardize


def choose_epochs(config: RunConfig, splits: Splits) -> int:
    """The epochs asked for; where they are left to the run, as many as make a thousand steps, from 10 to 100."""
    if config.training.epochs:
        return config.training.epochs
    return min(max(_LEAST_EPOCHS, math.ceil(_LEAST_STEPS / _steps(config, splits))), _MOST_EPOCHS)


def choose_select(config: RunConfig, splits: Splits) -> str:
    """The model that a run ends with; by the test split, which monitoring falls back to, none is chosen unasked."""
    select = config.training.select
    return ("last" if splits.validation is None else "best") if select == "auto" else select


def choices(config: RunConfig, splits: Splits) -> list[Choice]:
    """What a resolved configuration does with the data, to be printed before training and in the report."""
    model, training = config.model, config.training
    layers = (
        f"mlp, hidden layers of {_listed(model.hidden)} units, {model.activation}"
        if model.network == "mlp"
        else f"conv, {_listed(model.filters)} filters, {model.activation}"
    )
    passes = f"{_count(training.epochs, 'epoch')} of {_count(_steps(config, splits), 'step')}"
    kept = {"last": "the last model is kept", "best": "the model of the best validation ELBO is kept"}[training.select]
    return [
        Choice("data", _data(splits), ""),
        Choice("likelihood", *_likelihood(config, splits)),
        _values(config, splits.train),
        Choice("network", f"{layers}, {model.latent_size} latent dimensions", "--network, --hidden, --latent-size"),
        Choice("training", f"{passes}, {kept}", "--epochs, --batch-size, --learning-rate, --select"),
    ]


def _data(splits: Splits) -> str:
    sizes = [f"{len(split):,} {split.name.rsplit('/', 1)[-1]}" for split in _all(splits)]
    train = splits.train
    return f"{' + '.join(sizes)} examples of shape {splits.event_shape}, {_kind(train)}"


def _kind(train: Split | ShardedSplit) -> str:
    if train.is_binary:
        return "zeros and ones"
    if train.num_levels is None:
        low, high = train.value_range
        return f"floats from {low:g} to {high:g}"
    if isinstance(train, Split) and 2 * (largest := int(train.raw.max())) < train.num_levels - 1:
        return f"{train.num_levels} levels, of which the largest that occurs is {largest}"
    return f"{train.num_levels} levels"


def _likelihood(config: RunConfig, splits: Splits) -> tuple[str, str]:
    train = splits.train
    if config.model.likelihood == "bernoulli":
        return f"Bernoulli, for {'zeros and ones' if train.is_binary else 'values in [0, 1]'}", "--likelihood normal"
    if train.num_levels is None and train.channel_added and _in_unit_interval(splits):
        return (
            "normal: floats (N, H, W) in [0, 1] are taken for series",
            "--likelihood bernoulli takes them for gray images, and so does storing them as uint8",
        )
    return "normal, a density of real values", "--likelihood bernoulli, for values in [0, 1]"


def _values(config: RunConfig, train: Split | ShardedSplit) -> Choice:
    if config.model.likelihood == "bernoulli":
        how = {
            "none": "as they are",
            "dynamic": "drawn as 0 or 1 with probability equal to the gray value, anew in each epoch",
            "static": "drawn as 0 or 1 with probability equal to the gray value, once",
            "threshold": "cut at one half into 0 and 1",
        }[config.data.binarize]
        return Choice("values", how, "" if train.is_binary else "--binarize dynamic, static, threshold or none")
    parts = []
    if train.num_levels is not None:
        parts.append(f"uniform noise of one level's width is added to the {train.num_levels} levels")
    if config.model.standardize == "on":
        parts.append("standardised inside the model, log p(x) stays in the data's units")
        return Choice("values", "; ".join(parts), "--standardize off")
    return Choice("values", "; ".join(parts) or "as they are", "--standardize on")


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def _listed(sizes: tuple[int, ...]) -> str:
    return ", ".join(map(str, sizes))


def _steps(config: RunConfig, splits: Splits) -> int:
    return math.ceil(len(splits.train) / config.training.batch_size)


def _all(splits: Splits) -> list[Split | ShardedSplit]:
    return [split for split in (splits.train, splits.validation, splits.test) if split is not None]


def _in_unit_interval(splits: Splits) -> bool:
    return all(split.in_unit_interval for split in _all(splits))
