"""Settings of a run: one frozen dataclass for each table, validated when created."""

import dataclasses
import re
import sys
from collections.abc import Mapping
from typing import Any

from tfvae._errors import quoted
from tfvae.parts import is_own_code, is_part, kinds, part_of
from tfvae.parts.activations import ACTIVATIONS
from tfvae.parts.arguments import require, require_choice
from tfvae.training.counts import COUNT, MAX_COUNT, is_count

_MAX_SIZE = 1_000_000  # units of a layer; the weights between two larger ones would exceed any memory
PRECISIONS = ("float32", "mixed_float16", "mixed_bfloat16", "float64")


@dataclasses.dataclass(frozen=True)
class DataConfig:
    """Settings of the data.

    Attributes:
        name: Name for `tfvae.data.load`, or path of a table, such as a .csv file, of a .npy or .npz file, or of a
            folder of images or of shards.
        binarize: Binarisation of gray data for a Bernoulli likelihood: "dynamic" (sampled with the gray value as
            probability, again in each epoch), "static" (sampled once), "threshold" (above one half) or "none". "auto"
            is "dynamic" for gray data with a Bernoulli likelihood.
        condition: Condition of a conditional model: "label", the label as a one-hot vector, the name of a column of a
            table, or of an array of an .npz file. "" for a model without a condition.
        missing: Missing values: a text that stands for one in a table, besides the usual ones such as NA and "?";
            "nan", for NaN in a .npy or .npz file; or the name of an array of an .npz file that is False at missing
            values. "" if no value is missing, but the usual ones in a table.
        image_size: Size that a folder of images is resized to: a number of pixels, such as "28", or height and width,
            such as "32x48". "" for images of one size.
        label: The column of a table that has the classes, and is not part of a row. "" for none.
        id: The column of a table that identifies its rows, and is not part of a row. "" for none.
        weight: The column of a table that has the weights of its rows in training, numbers of at least 0, and is not
            part of a row. "" if all rows count the same.
        columns: Kinds of columns of a table by name, such as `age = "real"`, in the place of those that are found. In
            the configuration of a run, a table with everything that is known of each column.
        num_labels: Number of training examples that keep their label, drawn alike from all classes, for a model with
            labels. 0 keeps all.
        labelled_per_batch: Number of labelled examples in each batch, if some are not labelled. 0 is a tenth of it.
        classes: Names of the classes of the condition or of the labels, which are found in the data.
        validation_split: Share of the training examples held out, if data have no such split. 0.1 for own data, or 0.
    """

    name: str = "digits"
    binarize: str = "auto"
    condition: str = ""
    missing: str = ""
    image_size: str = ""
    num_labels: int = 0
    labelled_per_batch: int = 0
    classes: tuple[str, ...] = ()
    label: str = ""
    id: str = ""
    weight: str = ""
    columns: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    validation_split: float = 0.0

    def __post_init__(self) -> None:
        valid = isinstance(self.name, str) and self.name != "" and "\0" not in self.name
        require(valid, "data.name", "the name or path of a data set", self.name)
        require_choice(self.binarize, "data.binarize", ("auto", "dynamic", "static", "threshold", "none"))
        array = "the name of an array of an .npz file"
        require(isinstance(self.condition, str), "data.condition", f'"label", or {array}', self.condition)
        require(isinstance(self.missing, str), "data.missing", f'"nan", or {array}', self.missing)
        for name in ("label", "id", "weight"):
            value = getattr(self, name)
            require(isinstance(value, str), f"data.{name}", "the name of a column of a table", value)
        require(isinstance(self.columns, Mapping), "data.columns", "a table with a kind for a column", self.columns)
        size = str(self.image_size) if type(self.image_size) is int else self.image_size
        valid = isinstance(size, str) and re.fullmatch(r"([1-9]\d{0,4}(x[1-9]\d{0,4})?)?", size) is not None
        require(valid, "data.image_size", 'a number of pixels, or height and width, such as "32x48"', self.image_size)
        object.__setattr__(self, "image_size", size)
        names = tuple(self.classes) if isinstance(self.classes, list | tuple) else self.classes
        valid = isinstance(names, tuple) and all(isinstance(name, str) for name in names)
        require(valid, "data.classes", "a list of names", names)
        object.__setattr__(self, "classes", names)
        valid = _is_number(self.validation_split) and 0 <= self.validation_split < 1
        require(valid, "data.validation_split", "a number from 0 to below 1", self.validation_split)
        for name in ("num_labels", "labelled_per_batch"):
            value = getattr(self, name)
            valid = (type(value) is int and value == 0) or is_count(value)
            require(valid, f"data.{name}", "an integer of at least 0", value)


@dataclasses.dataclass(frozen=True)
class ModelConfig:
    """Settings of the model.

    A part is a name, or a table with `kind` and arguments of the constructor: docs/experiments.md.

    Attributes:
        kind: "vae", or "m2" for the semi-supervised model whose latents are a class label y, known for some examples,
            and z: docs/semi-supervised.md.
        network: Networks of encoder and decoder, a part: "mlp" (as in the paper), "gated_mlp" or "residual_mlp" for
            data of any shape, "conv" or "resnet" for data with 1 to 3 spatial axes and channels. With `allow_code`, a
            table with "module:function" as `kind`, for the encoder, and as `decoder`.
        hidden: Units of each hidden layer of the network, if it has some. The decoder has them in reverse order.
        filters: Filters of each level of the network, if it has some. The decoder has them in reverse order.
        activation: Keras activation of the hidden layers. "auto" is tanh for the mlp, none ("linear") for the
            gated mlp, swish for residual networks and relu for others.
        latent_size: Number of latent dimensions D. With posteriors of sticks, D log-odds, which the decoder gets as
            D + 1 shares.
        posterior: Distribution of q(z|x), a part: "diag", "tril" (full covariance) or another distribution layer.
        likelihood: Distribution of p(x|z), a part, or "auto", which is bernoulli for binary data and for images in
            [0, 1] with one channel (8-bit ones, or floats stored as (N, H, W, 1)), otherwise normal.
        prior: Distribution of p(z), a part: "standard_normal", or another prior; "conditional" is p(z|c).
        conditioned: Which networks get the condition of the data, a list of "encoder" and "decoder".
        label_prior: Distribution of p(y) in M2: "uniform", "learned", or the list of the probabilities of the classes.
        standardize: Whether the model subtracts the mean of each feature and divides by its standard deviation. "auto"
            is "on" for a normal likelihood of data other than images, otherwise "off". log p(x) always has the units of
            the data.
    """

    kind: str = "vae"
    network: Any = "mlp"
    hidden: tuple[int, ...] = (500,)
    filters: tuple[int, ...] = (32, 64)
    activation: str = "auto"
    latent_size: int = 20
    posterior: Any = "diag"
    likelihood: Any = "auto"
    prior: Any = "standard_normal"
    conditioned: tuple[str, ...] = ("encoder", "decoder")
    label_prior: Any = "uniform"
    standardize: str = "auto"

    def __post_init__(self) -> None:
        require_choice(self.kind, "model.kind", ("vae", "m2"))
        self._check_conditioned()
        self._check_label_prior()
        for name in ("network", "posterior", "prior"):
            part_of(getattr(self, name), f"model.{name}")
        if self.likelihood != "auto":
            part_of(self.likelihood, "model.likelihood")
        kind, arguments = part_of(self.network, "model.network")
        if is_own_code(kind) and not is_own_code(arguments.get("decoder")):
            raise ValueError(
                f"model.network needs the function that makes the decoder, as in model.network = {{kind = "
                f'{quoted(kind)}, decoder = "my_module:make_decoder"}}. Received: model.network={quoted(self.network)}'
            )
        require_choice(self.standardize, "model.standardize", ("auto", "on", "off"))
        for name in ("hidden", "filters"):
            sizes = getattr(self, name)
            sizes = tuple(sizes) if isinstance(sizes, list | tuple) else sizes
            valid = isinstance(sizes, tuple) and bool(sizes) and all(_is_size(size) for size in sizes)
            require(valid, f"model.{name}", f"a list of integers from 1 to {_MAX_SIZE}", sizes)
            object.__setattr__(self, name, sizes)
        require_choice(self.activation, "model.activation", ("auto", *ACTIVATIONS))
        expected = f"an integer from 1 to {_MAX_SIZE}"
        require(_is_size(self.latent_size), "model.latent_size", expected, self.latent_size)

    def _check_conditioned(self) -> None:
        names = self.conditioned
        names = tuple(names) if isinstance(names, list | tuple) else names
        valid = isinstance(names, tuple) and set(map(str, names)) <= {"encoder", "decoder"}
        require(valid, "model.conditioned", 'a list of "encoder" and "decoder"', names)
        object.__setattr__(self, "conditioned", names)

    def _check_label_prior(self) -> None:
        probs = self.label_prior
        if isinstance(probs, list | tuple):
            probs = tuple(probs)
            valid = all(_is_number(each) and each > 0 for each in probs) and abs(sum(probs) - 1) < 1e-5
            object.__setattr__(self, "label_prior", probs)
        else:
            valid = probs in ("uniform", "learned")
        expected = '"uniform", "learned", or a list of positive probabilities that add up to 1'
        require(valid, "model.label_prior", expected, probs)

    @property
    def likelihood_kind(self) -> str:
        """The name of the likelihood, or "auto"."""
        return "auto" if self.likelihood == "auto" else part_of(self.likelihood, "model.likelihood")[0]

    @property
    def network_kind(self) -> str:
        """The name of the network."""
        return part_of(self.network, "model.network")[0]

    @property
    def network_sizes(self) -> tuple[int, ...]:
        """The units of the hidden layers of the network, or its filters; none for the user's own code."""
        if is_own_code(self.network_kind):
            return ()
        return self.hidden if self.network_kind in kinds.OF_ANY_SHAPE else self.filters


@dataclasses.dataclass(frozen=True)
class TrainingConfig:
    """Settings of the training.

    Attributes:
        epochs: Passes over the training data. 0, the default for own data, chooses from 10 to 100 epochs so that there
            are about 1,000 steps; for a table from 10 to 300, and about 10,000 steps.
        batch_size: Number of examples per step (M in the paper). 0, the default for tables, chooses from 32 to 500.
        optimizer: Optimizer of Keras, a part.
        learning_rate: Learning rate of the optimizer: a number, or a schedule of Keras, a part.
        estimator: Estimator of the bound and its gradient, a part.
        num_samples: Number of draws of z per example (S; L in the paper), for estimators with this argument.
        kl: "analytic" (estimator B), "monte_carlo" (estimator A) or "auto", which is analytic where a closed form
            exists. For estimators with this argument.
        beta: Weight of the KL: a number, or a schedule or weighting of the KL, a part.
        precision: Dtype policy of Keras: "float32", "mixed_float16", "mixed_bfloat16" or "float64".
        seed: Random seed of the initial weights, the order and noise of the data, and all draws.
        select: Which model to keep: "last", or "best", the checkpoint with the highest validation ELBO. "auto", the
            default for own data, is "best" if there is a validation split, otherwise "last".
        keep_best: Whether to save a checkpoint after each epoch with the highest validation ELBO so far, and to keep
            the model of the best one. `select = "best"` alone chooses among the checkpoints that are written anyway.
        callbacks: Callbacks of Keras that compare epochs, a list of parts: "early_stopping", "reduce_lr_on_plateau".
        keep: Number of newest checkpoints to keep, besides the best.
        checkpoint_steps: Steps between two checkpoints within an epoch. 0 saves only between epochs.
        on_nan: Reaction to a loss that is not finite: "stop", or "rewind" to the newest checkpoint with half the
            learning rate, at most five times.
        strategy: "none" (one process, one device), "mirrored" (all GPUs of a machine) or "multi_worker" (several
            processes). Each batch is split among the devices.
    """

    epochs: int = 10
    batch_size: int = 100
    optimizer: Any = "adam"
    learning_rate: Any = 1e-3
    estimator: Any = "sgvb"
    num_samples: int = 1
    kl: str = "auto"
    beta: Any = 1.0
    precision: str = "float32"
    seed: int = 0
    select: str = "last"
    keep_best: bool = False
    callbacks: tuple[Any, ...] = ()
    keep: int = 3
    checkpoint_steps: int = 0
    on_nan: str = "stop"
    strategy: str = "none"

    def __post_init__(self) -> None:
        for name in ("num_samples", "keep"):
            require(is_count(getattr(self, name)), f"training.{name}", COUNT, getattr(self, name))
        for name in ("epochs", "batch_size"):
            value = getattr(self, name)
            valid = is_count(value) or (type(value) is int and value == 0)
            require(valid, f"training.{name}", f"an integer from 0 to {MAX_COUNT}", value)
        for name in ("optimizer", "estimator"):
            part_of(getattr(self, name), f"training.{name}")
        rate, beta = self.learning_rate, self.beta
        if is_part(rate):
            part_of(rate, "training.learning_rate")
        else:
            require(_is_number(rate) and rate > 0, "training.learning_rate", "a number above 0", rate)
        if is_part(beta):
            part_of(beta, "training.beta")
        else:
            require(_is_number(beta) and beta >= 0, "training.beta", "a number of at least 0", beta)
        require_choice(self.kl, "training.kl", ("auto", "analytic", "monte_carlo"))
        require(isinstance(self.keep_best, bool), "training.keep_best", "true or false", self.keep_best)
        callbacks = self.callbacks
        require(isinstance(callbacks, list | tuple), "training.callbacks", "a list", callbacks)
        for callback in callbacks:
            part_of(callback, "training.callbacks")
        object.__setattr__(self, "callbacks", tuple(callbacks))
        require_choice(self.precision, "training.precision", PRECISIONS)
        require_choice(self.select, "training.select", ("auto", "last", "best"))
        require_choice(self.on_nan, "training.on_nan", ("stop", "rewind"))
        halves = self.on_nan == "rewind"
        expected = 'a number with training.on_nan = "rewind", which halves it'
        require(not (halves and is_part(rate)), "training.learning_rate", expected, rate)
        require_choice(self.strategy, "training.strategy", ("none", "mirrored", "multi_worker"))
        steps = self.checkpoint_steps
        valid = (type(steps) is int and steps == 0) or is_count(steps)
        require(valid, "training.checkpoint_steps", "an integer of at least 0", steps)
        valid = isinstance(self.seed, int) and not isinstance(self.seed, bool) and 0 <= self.seed < 2**31
        require(valid, "training.seed", "an integer from 0 to 2147483647", self.seed)


def _is_size(value: Any) -> bool:
    return is_count(value) and value <= _MAX_SIZE


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) <= sys.float_info.max
