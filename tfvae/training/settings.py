"""Settings of a run: one frozen dataclass for each table, validated when created."""

import dataclasses
import sys
from typing import Any

from tfvae._errors import quoted

_MAX_COUNT = 2**31 - 1  # TensorFlow counts with 32 bits
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
