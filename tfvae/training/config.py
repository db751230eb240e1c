"""Configuration of a run: frozen dataclasses, validated when created, stored as TOML."""

import dataclasses
import os
import sys
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

import tomli_w

from tfvae._errors import quoted, reading, shortened

# Training settings that may change when a run is resumed.
RESUMABLE = ("epochs", "learning_rate", "beta", "keep", "select", "checkpoint_steps", "on_nan", "strategy")

_MAX_COUNT = 2**31 - 1  # TensorFlow counts with 32 bits
_HOW_TO_WRITE = "Expected TOML with tables such as [model] and [training]; the config.toml of a run is an example."
_COUNT = f"an integer from 1 to {_MAX_COUNT}"
_MAX_SIZE = 1_000_000  # units of a layer; the weights between two larger ones would exceed any memory
# Activations of Keras that a layer accepts by name, listed here to report mistakes before Keras is imported. Without
# glu, which halves the units, and threshold, which needs arguments.
ACTIVATIONS = (
    "celu", "elu", "exponential", "gelu", "hard_shrink", "hard_sigmoid", "hard_silu", "hard_swish", "hard_tanh",
    "leaky_relu", "linear", "log_sigmoid", "log_softmax", "mish", "relu", "relu6", "selu", "sigmoid", "silu",
    "soft_shrink", "softmax", "softplus", "softsign", "sparse_plus", "sparse_sigmoid", "sparsemax", "squareplus",
    "swish", "tanh", "tanh_shrink",
)  # fmt: skip

# Values that replace the defaults for a data set, unless the user gives others.
_PRESETS: dict[str, dict[str, dict[str, Any]]] = {
    # Ten latent dimensions give sharp strokes. Epochs are short, so there are many. At 8x8 pixels, sampling by the gray
    # value would be mostly noise, so values are binarised with a threshold.
    "digits": {
        "data": {"binarize": "threshold"},
        "model": {"latent_size": 10},
        "training": {"epochs": 200, "learning_rate": 3e-3},
    },
    # Network of the paper for Frey Face (appendix C). Its 1,565 images make short epochs too.
    "frey_face": {"model": {"hidden": (200,), "likelihood": "normal"}, "training": {"epochs": 200}},
}
# The same for the user's own data, which may be few: epochs by data size, and selection against overfitting.
_OWN_DATA: dict[str, dict[str, Any]] = {"training": {"epochs": 0, "select": "auto"}}
# Values of settings that did not exist in earlier versions, equivalent to what these versions did.
_EARLIER_VERSIONS: dict[str, dict[str, Any]] = {"model": {"standardize": "off"}, "training": {"select": "last"}}


@dataclasses.dataclass(frozen=True)
class DataConfig:
    """Settings of the data.

    Attributes:
        name: Name for `tfvae.data.load`, or path of a .npy or .npz file or of a folder of shards.
        binarize: Binarisation of gray data for a Bernoulli likelihood: "dynamic" (sampled with the gray value as
            probability, again in each epoch), "static" (sampled once), "threshold" (above one half) or "none". "auto"
            is "dynamic" for gray data with a Bernoulli likelihood.
    """

    name: str = "digits"
    binarize: str = "auto"

    def __post_init__(self) -> None:
        valid = isinstance(self.name, str) and self.name != "" and "\0" not in self.name
        _require(valid, "data.name", "the name or path of a data set", self.name)
        _require_choice(self.binarize, "data.binarize", ("auto", "dynamic", "static", "threshold", "none"))


@dataclasses.dataclass(frozen=True)
class ModelConfig:
    """Settings of the model.

    Attributes:
        network: "mlp" (as in the paper) or "conv".
        hidden: Units of each hidden layer of the mlp. The decoder has them in reverse order.
        filters: Filters of each level of the conv network.
        activation: Keras activation of the hidden layers. "auto" is tanh for the mlp and relu for conv.
        latent_size: Number of latent dimensions D.
        posterior: "diag" or "tril" (full covariance).
        likelihood: "bernoulli", "normal" or "auto". "auto" is bernoulli for binary data and for images in [0, 1] with
            one channel (8-bit ones, or floats stored as (N, H, W, 1)), otherwise normal.
        standardize: Whether the model subtracts the mean of each feature and divides by its standard deviation. "auto"
            is "on" for a normal likelihood of data other than images, otherwise "off". log p(x) always has the units of
            the data.
    """

    network: str = "mlp"
    hidden: tuple[int, ...] = (500,)
    filters: tuple[int, ...] = (32, 64)
    activation: str = "auto"
    latent_size: int = 20
    posterior: str = "diag"
    likelihood: str = "auto"
    standardize: str = "auto"

    def __post_init__(self) -> None:
        _require_choice(self.network, "model.network", ("mlp", "conv"))
        _require_choice(self.posterior, "model.posterior", ("diag", "tril"))
        _require_choice(self.likelihood, "model.likelihood", ("auto", "bernoulli", "normal"))
        _require_choice(self.standardize, "model.standardize", ("auto", "on", "off"))
        for name in ("hidden", "filters"):
            sizes = getattr(self, name)
            sizes = tuple(sizes) if isinstance(sizes, list | tuple) else sizes
            valid = isinstance(sizes, tuple) and bool(sizes) and all(_is_size(size) for size in sizes)
            _require(valid, f"model.{name}", f"a list of integers from 1 to {_MAX_SIZE}", sizes)
            object.__setattr__(self, name, sizes)
        _require_choice(self.activation, "model.activation", ("auto", *ACTIVATIONS))
        expected = f"an integer from 1 to {_MAX_SIZE}"
        _require(_is_size(self.latent_size), "model.latent_size", expected, self.latent_size)


@dataclasses.dataclass(frozen=True)
class TrainingConfig:
    """Settings of the training.

    Attributes:
        epochs: Passes over the training data. 0, the default for own data, chooses from 10 to 100 epochs so that there
            are about 1,000 steps.
        batch_size: Number of examples per step (M in the paper).
        learning_rate: Learning rate of Adam.
        num_samples: Number of draws of z per example (S; L in the paper).
        kl: "analytic" (estimator B) or "monte_carlo" (estimator A).
        beta: Weight of the KL.
        seed: Random seed of the initial weights, the order and noise of the data, and all draws.
        select: Which model to keep: "last", or "best", the checkpoint with the highest validation ELBO. "auto", the
            default for own data, is "best" if there is a validation split, otherwise "last".
        keep: Number of newest checkpoints to keep, besides the best.
        checkpoint_steps: Steps between two checkpoints within an epoch. 0 saves only between epochs.
        on_nan: Reaction to a loss that is not finite: "stop", or "rewind" to the newest checkpoint with half the
            learning rate, at most five times.
        strategy: "none" (one process, one device), "mirrored" (all GPUs of a machine) or "multi_worker" (several
            processes). Each batch is split among the devices.
    """

    epochs: int = 10
    batch_size: int = 100
    learning_rate: float = 1e-3
    num_samples: int = 1
    kl: str = "analytic"
    beta: float = 1.0
    seed: int = 0
    select: str = "last"
    keep: int = 3
    checkpoint_steps: int = 0
    on_nan: str = "stop"
    strategy: str = "none"

    def __post_init__(self) -> None:
        for name in ("batch_size", "num_samples", "keep"):
            _require(_is_count(getattr(self, name)), f"training.{name}", _COUNT, getattr(self, name))
        is_count = _is_count(self.epochs) or (self.epochs == 0 and not isinstance(self.epochs, bool))
        _require(is_count, "training.epochs", f"an integer from 0 to {_MAX_COUNT}", self.epochs)
        rate, beta = self.learning_rate, self.beta
        _require(_is_number(rate) and rate > 0, "training.learning_rate", "a number above 0", rate)
        _require(_is_number(beta) and beta >= 0, "training.beta", "a number of at least 0", beta)
        _require_choice(self.kl, "training.kl", ("analytic", "monte_carlo"))
        _require_choice(self.select, "training.select", ("auto", "last", "best"))
        _require_choice(self.on_nan, "training.on_nan", ("stop", "rewind"))
        _require_choice(self.strategy, "training.strategy", ("none", "mirrored", "multi_worker"))
        steps = self.checkpoint_steps
        valid = (type(steps) is int and steps == 0) or _is_count(steps)
        _require(valid, "training.checkpoint_steps", "an integer of at least 0", steps)
        valid = isinstance(self.seed, int) and not isinstance(self.seed, bool) and 0 <= self.seed < 2**31
        _require(valid, "training.seed", "an integer from 0 to 2147483647", self.seed)


@dataclasses.dataclass(frozen=True)
class EvaluationConfig:
    """Settings of the evaluation after training.

    Attributes:
        num_samples: Number of draws of z per example for the ELBO.
        num_importance_samples: Number of importance samples K per example for log p(x).
        num_examples: Maximum number of examples for slow measures: refined posteriors and Markov chains.
    """

    num_samples: int = 10
    num_importance_samples: int = 500
    num_examples: int = 50

    def __post_init__(self) -> None:
        for field in dataclasses.fields(self):
            value = getattr(self, field.name)
            _require(_is_count(value), f"evaluation.{field.name}", _COUNT, value)


@dataclasses.dataclass(frozen=True)
class RunConfig:
    """Complete configuration of a run, in four tables."""

    data: DataConfig = dataclasses.field(default_factory=DataConfig)
    model: ModelConfig = dataclasses.field(default_factory=ModelConfig)
    training: TrainingConfig = dataclasses.field(default_factory=TrainingConfig)
    evaluation: EvaluationConfig = dataclasses.field(default_factory=EvaluationConfig)

    @classmethod
    def from_dict(cls, *tables: Mapping[str, Mapping[str, Any]]) -> Self:
        """Merges nested tables with the preset of the data set and the defaults. Later tables take precedence.

        Raises:
            ValueError: If a table or key is unknown, or a value is out of range.
        """
        classes: dict[str, Any] = {field.name: field.default_factory for field in dataclasses.fields(cls)}
        merged: dict[str, dict[str, Any]] = {name: {} for name in classes}
        given = [table for table in tables if table]
        from tfvae.data import known_names  # imported here, because `tfvae --help` does not need NumPy

        data = [table["data"] for table in reversed(given) if isinstance(table.get("data"), Mapping)]
        name = next((table["name"] for table in data if "name" in table), DataConfig.name)
        preset = _PRESETS.get(str(name), {} if str(name) in known_names() else _OWN_DATA)
        for table in (preset, *given):
            for section, values in table.items():
                if section not in merged:
                    unknown = shortened(section)
                    raise ValueError(
                        f"Unknown table [{unknown}] in the configuration. Expected one of: {', '.join(sorted(merged))}."
                    )
                if not isinstance(values, Mapping):
                    raise ValueError(
                        f"[{section}] must be a table: a line [{section}] followed by its settings, as in "
                        f"docs/settings.md. Received: {section}={quoted(values)}"
                    )
                known = {field.name for field in dataclasses.fields(classes[section])}
                for key, value in values.items():
                    if key not in known:
                        unknown = shortened(key)
                        raise ValueError(
                            f"Unknown setting {section}.{unknown}. Expected one of: {', '.join(sorted(known))}."
                        )
                    merged[section][key] = value
        if merged["model"].get("likelihood") == "normal" and not any("binarize" in table for table in data):
            merged["data"].pop("binarize", None)  # the preset is for the default likelihood of its data
        return cls(**{name: classes[name](**values) for name, values in merged.items()})

    @classmethod
    def from_toml(cls, path: str | os.PathLike[str], *overrides: Mapping[str, Mapping[str, Any]]) -> Self:
        """Reads a TOML file and applies overrides.

        Raises:
            ValueError: If the file is missing or is not valid TOML, or `from_dict` refuses its content.
        """
        return cls._from_file(path, {}, *overrides)

    @classmethod
    def of_run(cls, path: str | os.PathLike[str], *overrides: Mapping[str, Mapping[str, Any]]) -> Self:
        """Reads the `config.toml` of a run folder. Settings that earlier versions lacked keep their former behaviour.

        Raises:
            ValueError: If the file is missing or is not valid TOML, or `from_dict` refuses its content.
        """
        return cls._from_file(path, _EARLIER_VERSIONS, *overrides)

    @classmethod
    def _from_file(
        cls, path: str | os.PathLike[str], defaults: Mapping[str, Any], *overrides: Mapping[str, Any]
    ) -> Self:
        tables = read_toml(path)
        try:
            cls.from_dict(defaults, tables)
        except ValueError as error:
            raise ValueError(f"{os.fspath(path)} is not a valid configuration: {error}") from error
        return cls.from_dict(defaults, tables, *overrides)

    def to_dict(self) -> dict[str, dict[str, Any]]:
        """Returns the four tables with all settings."""
        return dataclasses.asdict(self)

    def to_toml(self) -> str:
        """Returns the content of a file for `from_toml`."""
        return tomli_w.dumps(self.to_dict())


def read_toml(path: str | os.PathLike[str]) -> dict[str, Any]:
    """Reads a TOML file. Raises ValueError if it is missing or is not valid TOML."""
    if not os.path.exists(path):
        raise ValueError(f"There is no configuration file {shortened(os.fspath(path))}.")
    with reading(path, _HOW_TO_WRITE):
        return tomllib.loads(Path(path).read_text("utf-8"))


def _is_count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 1 <= value <= _MAX_COUNT


def _is_size(value: Any) -> bool:
    return _is_count(value) and value <= _MAX_SIZE


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) <= sys.float_info.max


def _require(condition: bool, name: str, expected: str, received: Any) -> None:
    if not condition:
        raise ValueError(f"{name} must be {expected}. Received: {name}={quoted(received)}")


def _require_choice(value: Any, name: str, choices: tuple[str, ...]) -> None:
    _require(value in choices, name, f"one of {', '.join(choices)}", value)
