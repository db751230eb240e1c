"""Types that appear in public signatures.

Shapes in docstrings use one alphabet: S Monte Carlo samples, K importance samples, B batch, D latent dimensions,
`*event` the shape of one data point.

TensorFlow and TFP ship no types, and importing them takes seconds: protocols declare what tfvae asks of their objects.
"""

from collections.abc import Callable, Sequence
from typing import Any, Literal, Protocol, TypeAlias


class Tensor(Protocol):
    """A TensorFlow tensor."""

    @property
    def shape(self) -> Any:
        """The static shape, a `tf.TensorShape`."""
        ...

    @property
    def dtype(self) -> Any:
        """The dtype, a `tf.DType`."""
        ...

    def numpy(self) -> Any:
        """Returns the values as a NumPy array, outside compiled functions."""
        ...

    def __getitem__(self, index: Any) -> "Tensor": ...
    def __neg__(self) -> "Tensor": ...
    def __invert__(self) -> "Tensor": ...
    def __add__(self, other: Any) -> "Tensor": ...
    def __radd__(self, other: Any) -> "Tensor": ...
    def __sub__(self, other: Any) -> "Tensor": ...
    def __rsub__(self, other: Any) -> "Tensor": ...
    def __mul__(self, other: Any) -> "Tensor": ...
    def __rmul__(self, other: Any) -> "Tensor": ...
    def __truediv__(self, other: Any) -> "Tensor": ...
    def __rtruediv__(self, other: Any) -> "Tensor": ...
    def __floordiv__(self, other: Any) -> "Tensor": ...
    def __mod__(self, other: Any) -> "Tensor": ...
    def __pow__(self, other: Any) -> "Tensor": ...
    def __lt__(self, other: Any) -> "Tensor": ...
    def __le__(self, other: Any) -> "Tensor": ...
    def __gt__(self, other: Any) -> "Tensor": ...
    def __ge__(self, other: Any) -> "Tensor": ...
    def __and__(self, other: Any) -> "Tensor": ...
    def __or__(self, other: Any) -> "Tensor": ...
    def __int__(self) -> int: ...
    def __float__(self) -> float: ...
    def __bool__(self) -> bool: ...
    def __len__(self) -> int: ...
    def __array__(self, dtype: Any = None) -> Any: ...


class Distribution(Protocol):
    """What tfvae asks of a distribution, as TFP's classes have it.

    Samples are tensors or, of joint distributions, nests of tensors; so are event shapes and dtypes.
    """

    @property
    def event_shape(self) -> Any:
        """The static shape of one sample of one batch member."""
        ...

    @property
    def batch_shape(self) -> Any:
        """The static batch shape."""
        ...

    @property
    def dtype(self) -> Any:
        """The dtype of samples."""
        ...

    @property
    def reparameterization_type(self) -> Any:
        """Whether samples have a pathwise gradient, for each part."""
        ...

    def sample(self, sample_shape: Any = (), seed: Any = None) -> Any:
        """Draws samples `[*sample_shape, *batch, *event]`."""
        ...

    def log_prob(self, value: Any, name: str = "log_prob", **kwargs: Any) -> Tensor:
        """Returns the log-density of samples, without their event axes."""
        ...

    def experimental_sample_and_log_prob(self, sample_shape: Any = (), seed: Any = None) -> tuple[Any, Tensor]:
        """Draws samples and scores them, without inverting what was just computed."""
        ...

    def prob(self, value: Any, name: str = "prob", **kwargs: Any) -> Tensor:
        """Returns the density of samples."""
        ...

    def mean(self) -> Any:
        """Returns the mean."""
        ...

    def mode(self) -> Any:
        """Returns the mode."""
        ...

    def stddev(self) -> Any:
        """Returns the standard deviation."""
        ...

    def variance(self) -> Any:
        """Returns the variance."""
        ...

    def entropy(self) -> Tensor:
        """Returns the entropy, in nats."""
        ...

    def kl_divergence(self, other: Any) -> Tensor:
        """Returns KL(self || other), in nats."""
        ...

    def event_shape_tensor(self) -> Any:
        """Returns the shape of one sample of one batch member, as a tensor."""
        ...

    def batch_shape_tensor(self) -> Any:
        """Returns the batch shape, as a tensor."""
        ...

    def experimental_default_event_space_bijector(self) -> Any:
        """Returns a bijector from real numbers to the support."""
        ...

    @property
    def name(self) -> str:
        """The name that it was given."""
        ...

    @property
    def parameters(self) -> dict[str, Any]:
        """The constructor's arguments."""
        ...

    @property
    def trainable_variables(self) -> Any:
        """The trainable TensorFlow variables among its parameters."""
        ...

    @property
    def validate_args(self) -> bool:
        """Whether arguments are checked when they are used."""
        ...

    @property
    def allow_nan_stats(self) -> bool:
        """Whether an undefined statistic is NaN, and not an error."""
        ...


class PriorLike(Protocol):
    """What tfvae asks of a prior."""

    @property
    def event_shape(self) -> Any:
        """The shape of one z, a tuple; of several parts, a nest of tuples."""
        ...

    def distribution(self) -> Distribution:
        """Returns p(z), of batch shape `[]`."""
        ...


TensorLike: TypeAlias = Any  # a tensor, an array, or a nest of numbers
Seed: TypeAlias = Any  # an int, an int32 tensor [2], a keras.random.SeedGenerator, or None
Network: TypeAlias = Callable[..., Any]  # a Keras layer from a tensor, or a nest of them, to a tensor or a distribution
ConvertToTensorFn: TypeAlias = Any  # a name, a method or property of tfd.Distribution, or a function of a distribution
Shape: TypeAlias = Sequence[int]
KLKind: TypeAlias = Literal["auto", "analytic", "monte_carlo"]

__all__ = [
    "ConvertToTensorFn",
    "Distribution",
    "KLKind",
    "Network",
    "PriorLike",
    "Seed",
    "Shape",
    "Tensor",
    "TensorLike",
]
