"""Conversion of a distribution layer's output to a tensor (`convert_to_tensor_fn`)."""

import inspect
from typing import Any

import tensorflow as tf
import tensorflow_probability as tfp

from tfvae._serialization import deserialize_function, serialize_function
from tfvae.typing import Distribution, Tensor

tfd = tfp.distributions

# Statistics with the shape of a sample.
_EVENT_SHAPED = {"sample", "mean", "mode", "stddev", "variance"}


class Conversion:
    """Function from a distribution to a tensor, in any form that TFP accepts.

    Args:
        fn: Name of a method or property ("mean", "logits"), the method or property itself (`tfd.Distribution.mean`,
            `tfd.Bernoulli.logits`), a function of the distribution, a configuration from `config`, or another
            `Conversion`. For an `Independent`, properties of the inner distribution also work.

    Raises:
        ValueError: If `fn` is none of these, or if it is a name that no distribution has.
    """

    def __init__(self, fn: Any):
        fn = deserialize_function(fn.fn or fn.name if isinstance(fn, Conversion) else fn)
        self.name: str | None = None
        self.fn: Any = None
        if isinstance(fn, property):
            self.name = fn.fget.__name__ if fn.fget is not None else None
        elif isinstance(fn, str):
            self.name = fn
        elif callable(fn):
            name = getattr(fn, "__name__", "")
            if getattr(tfd.Distribution, name, None) is fn:
                self.name = name
            else:
                self.fn = fn
        if self.fn is None and not self._is_known(self.name):
            raise ValueError(
                "`convert_to_tensor_fn` must be a function of a distribution, or the name of one of its methods or "
                f"properties, such as 'sample', 'mean' or 'logits'. Received: convert_to_tensor_fn={fn!r}"
            )
        target = self.fn if self.fn is not None else getattr(tfd.Distribution, str(self.name), None)
        # Some builtins have no signature, and none of these takes a seed.
        parameters = inspect.signature(target).parameters if inspect.isroutine(target) else {}
        self.takes_seed = "seed" in parameters

    @staticmethod
    def _is_known(name: str | None) -> bool:
        if name is None or name.startswith("_"):
            return False
        return any(isinstance(cls, type) and hasattr(cls, name) for cls in map(tfd.__dict__.get, dir(tfd)))

    def __call__(self, distribution: Distribution, seed: Tensor | None = None) -> Tensor:
        kwargs = {"seed": seed} if self.takes_seed else {}
        if self.fn is not None:
            return self.fn(distribution, **kwargs)
        owner: Any = distribution
        name = str(self.name)
        while not hasattr(type(owner), name) and isinstance(getattr(owner, "distribution", None), tfd.Distribution):
            owner = owner.distribution
        value = getattr(owner, name)
        value = value(**kwargs) if callable(value) else value
        if name in _EVENT_SHAPED and isinstance(distribution.event_shape, tf.TensorShape):
            value.set_shape(distribution.batch_shape + distribution.event_shape)  # TFP's broadcasts may lose it
        return value

    def config(self) -> Any:
        """Returns the name, or the configuration of a registered function."""
        return self.name if self.fn is None else serialize_function(self.fn, "convert_to_tensor_fn")
