"""The configuration of a run: frozen, validated when built, and TOML on disk."""

import dataclasses
import os
import sys
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

import tomli_w

from tfvae._errors import quoted, reading, shortened

# Settings of training that may change when a run goes on.
RESUMABLE = ("epochs", "learning_rate", "beta", "keep", "select", "checkpoint_steps", "on_nan", "strategy")

_LARGEST = 2**31 - 1  # TensorFlow counts in 32 bits
_HOW_TO_WRITE = "Expected TOML with tables such as [model] and [training]; the config.toml of a run is an example."
_COUNT = f"a whole number up to {_LARGEST}, at least 1"
_LARGEST_SIZE = 1_000_000  # of a layer; weights between two of them would fill any memory
# Those of Keras that a layer can have by name, listed here so that a slip is told before Keras is imported. Not glu,
# which halves the units, nor threshold, which needs arguments.
ACTIVATIONS = (
    "celu", "elu", "exponential", "gelu", "hard_shrink", "hard_sigmoid", "hard_silu", "hard_swish", "hard_tanh",
    "leaky_relu", "linear", "log_sigmoid", "log_softmax", "mish", "relu", "relu6", "selu", "sigmoid", "silu",
    "soft_shrink", "softmax", "softplus", "softsign", "sparse_plus", "sparse_sigmoid", "sparsemax", "squareplus",
    "swish", "tanh", "tanh_shrink",
)  # fmt: skip

# What differs from the defaults for a data set, where the user says nothing.
_PRESETS: dict[str, dict[str, dict[str, Any]]] = {
    # Ten latents, with which strokes are sharp; many short epochs. At 8x8 a pixel drawn by its gray value is mostly
    # noise, so the strokes are cut out at one half.
    "digits": {
        "data": {"binarize": "threshold"},
        "model": {"latent_size": 10},
        "training": {"epochs": 200, "learning_rate": 3e-3},
    },
    # The paper's Frey Face network (appendix C); its 1,565 images make short epochs too.
    "frey_face": {"model": {"hidden": (200,), "likelihood": "normal"}, "training": {"epochs": 200}},
}
# The same for data of one's own, which may be few: as many epochs as they need, and a guard against overfitting.
_OWN_DATA: dict[str, dict[str, Any]] = {"training": {"epochs": 0, "select": "auto"}}
# Settings that did not exist, as the runs of that time had them.
_EARLIER_VERSIONS: dict[str, dict[str, Any]] = {"model": {"standardize": "off"}, "training": {"select": "last"}}


@dataclasses.dataclass(frozen=True)
class DataConfig:
    """What to train on.

    Attributes:
        name: a name that `tfvae.data.load` knows, or the path of a .npy or .npz file or of a folder of shards.
        binarize: of gray data for a Bernoulli likelihood: "dynamic" (x is drawn with probability equal to the gray
            value, anew in each epoch), "static" (drawn once), "threshold" (above one half) or "none"; "auto" is
            "dynamic" for gray data under a Bernoulli likelihood.
    """

    name: str = "digits"
    binarize: str = "auto"

    def __post_init__(self) -> None:
        valid = isinstance(self.name, str) and self.name != "" and "\0" not in self.name
        _require(valid, "data.name", "a data set's name or path", self.name)
        _require_choice(self.binarize, "data.binarize", ("auto", "dynamic", "static", "threshold", "none"))


@dataclasses.dataclass(frozen=True)
class ModelConfig:
    """What to train.

    Attributes:
        network: "mlp" (the paper's) or "conv".
        hidden: units of each hidden layer of the mlp, encoder and decoder alike (reversed).
        filters: channels of each level of the conv network.
        activation: activation of the hidden layers, by its name in Keras; "auto" is tanh for the mlp, relu for conv.
        latent_size: D.
        posterior: "diag" or "tril" (full covariance).
        likelihood: "bernoulli", "normal", or "auto": bernoulli for data with two levels and for images in [0, 1] with
            one channel (8-bit ones, or floats stored as (N, H, W, 1)), otherwise normal.
        standardize: whether the model subtracts each value's mean and divides by its standard deviation; "auto" is "on"
            for a normal likelihood of anything but images, otherwise "off". log p(x) is in the data's units either way.
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
            _require(valid, f"model.{name}", f"a list of whole numbers up to {_LARGEST_SIZE}, each at least 1", sizes)
            object.__setattr__(self, name, sizes)
        _require_choice(self.activation, "model.activation", ("auto", *ACTIVATIONS))
        expected = f"a whole number up to {_LARGEST_SIZE}, at least 1"
        _require(_is_size(self.latent_size), "model.latent_size", expected, self.latent_size)


@dataclasses.dataclass(frozen=True)
class TrainingConfig:
    """How to train.

    Attributes:
        epochs: passes over the training data; 0, the default for own data, is as many as make 1,000 steps, from 10
            to 100.
        batch_size: M, examples a step.
        learning_rate: of Adam.
        num_samples: S (the paper's L), draws of z an example.
        kl: "analytic" (estimator B) or "monte_carlo" (estimator A).
        beta: weight of the KL.
        seed: of the weights, the data's order and noise, and every draw.
        select: the model that a run ends with: "last", or "best", of the checkpoint with the highest validation ELBO.
            "auto", the default for own data, is "best" where there is a validation split, otherwise "last".
        keep: the newest checkpoints that are kept, besides the best.
        checkpoint_steps: steps between two checkpoints within an epoch; 0 is none there.
        on_nan: what a loss that is not finite does: "stop", or "rewind", which goes back to the newest checkpoint with
            half the learning rate, five times at most.
        strategy: "none" (one process, one device), "mirrored" (all GPUs of a machine) or "multi_worker" (several
            processes); a batch is shared out among them.
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
        _require(is_count, "training.epochs", f"a whole number up to {_LARGEST}, at least 0", self.epochs)
        rate, beta = self.learning_rate, self.beta
        _require(_is_number(rate) and rate > 0, "training.learning_rate", "a number above 0", rate)
        _require(_is_number(beta) and beta >= 0, "training.beta", "a number, at least 0", beta)
        _require_choice(self.kl, "training.kl", ("analytic", "monte_carlo"))
        _require_choice(self.select, "training.select", ("auto", "last", "best"))
        _require_choice(self.on_nan, "training.on_nan", ("stop", "rewind"))
        _require_choice(self.strategy, "training.strategy", ("none", "mirrored", "multi_worker"))
        steps = self.checkpoint_steps
        valid = (type(steps) is int and steps == 0) or _is_count(steps)
        _require(valid, "training.checkpoint_steps", "a whole number, at least 0", steps)
        valid = isinstance(self.seed, int) and not isinstance(self.seed, bool) and 0 <= self.seed < 2**31
        _require(valid, "training.seed", "a whole number from 0 to 2147483647", self.seed)


@dataclasses.dataclass(frozen=True)
class EvaluationConfig:
    """What to measure when training ends.

    Attributes:
        num_samples: draws of z an example for the ELBO.
        num_importance_samples: K for log p(x).
        num_examples: the most examples for what takes long: refined posteriors and Markov chains.
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
    """Everything a run depends on, in four tables."""

    data: DataConfig = dataclasses.field(default_factory=DataConfig)
    model: ModelConfig = dataclasses.field(default_factory=ModelConfig)
    training: TrainingConfig = dataclasses.field(default_factory=TrainingConfig)
    evaluation: EvaluationConfig = dataclasses.field(default_factory=EvaluationConfig)

    @classmethod
    def from_dict(cls, *tables: Mapping[str, Mapping[str, Any]]) -> Self:
        """Merges tables of tables, later ones first in rank, over the data set's preset and the defaults.

        Raises:
            ValueError: for an unknown table or key (the known ones are listed), or a value out of range.
        """
        classes: dict[str, Any] = {field.name: field.default_factory for field in dataclasses.fields(cls)}
        merged: dict[str, dict[str, Any]] = {name: {} for name in classes}
        given = [table for table in tables if table]
        from tfvae.data import known_names  # imports NumPy, for which `tfvae --help` need not wait

        data = [table["data"] for table in reversed(given) if isinstance(table.get("data"), Mapping)]
        name = next((table["name"] for table in data if "name" in table), DataConfig.name)
        preset = _PRESETS.get(str(name), {} if str(name) in known_names() else _OWN_DATA)
        for table in (preset, *given):
            for section, values in table.items():
                if section not in merged:
                    unknown = shortened(section)
                    raise ValueError(f"Unknown table [{unknown}] in the configuration. Known: {sorted(merged)}.")
                if not isinstance(values, Mapping):
                    raise ValueError(
                        f"[{section}] is a table of settings: a line [{section}], and its settings below it, as in "
                        f"docs/settings.md. Received: {section} = {quoted(values)}."
                    )
                known = {field.name for field in dataclasses.fields(classes[section])}
                for key, value in values.items():
                    if key not in known:
                        unknown = shortened(key)
                        raise ValueError(f"Unknown setting {section}.{unknown}. Known in [{section}]: {sorted(known)}.")
                    merged[section][key] = value
        if merged["model"].get("likelihood") == "normal" and not any("binarize" in table for table in data):
            merged["data"].pop("binarize", None)  # a preset's is for the likelihood that its data get by default
        return cls(**{name: classes[name](**values) for name, values in merged.items()})

    @classmethod
    def from_toml(cls, path: str | os.PathLike[str], *overrides: Mapping[str, Mapping[str, Any]]) -> Self:
        """Reads a file, with overrides over it.

        Raises:
            ValueError: when the file is missing or is no TOML, or for what `from_dict` refuses.
        """
        return cls._from_file(path, {}, *overrides)

    @classmethod
    def of_run(cls, path: str | os.PathLike[str], *overrides: Mapping[str, Mapping[str, Any]]) -> Self:
        """Reads the `config.toml` of a run folder; what earlier versions did not write there is as it was with them.

        Raises:
            ValueError: when the file is missing or is no TOML, or for what `from_dict` refuses.
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
            raise ValueError(f"{os.fspath(path)} is no configuration: {error}") from error
        return cls.from_dict(defaults, tables, *overrides)

    def to_dict(self) -> dict[str, dict[str, Any]]:
        """The four tables, with every setting."""
        return dataclasses.asdict(self)

    def to_toml(self) -> str:
        """The file that `from_toml` reads."""
        return tomli_w.dumps(self.to_dict())


def read_toml(path: str | os.PathLike[str]) -> dict[str, Any]:
    """A TOML file as tables; ValueError when it is missing or no TOML."""
    if not os.path.exists(path):
        raise ValueError(f"There is no configuration file {shortened(os.fspath(path))}.")
    with reading(path, _HOW_TO_WRITE):
        return tomllib.loads(Path(path).read_text("utf-8"))


def _is_count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 1 <= value <= _LARGEST


def _is_size(value: Any) -> bool:
    return _is_count(value) and value <= _LARGEST_SIZE


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) <= sys.float_info.max


def _require(condition: bool, name: str, expected: str, received: Any) -> None:
    if not condition:
        raise ValueError(f"{name} must be {expected}. Received: {quoted(received)}.")


def _require_choice(value: Any, name: str, choices: tuple[str, ...]) -> None:
    _require(value in choices, name, f"one of {', '.join(choices)}", value)
