"""Parts of a model, as the settings of a run and the data define them."""

import dataclasses
import functools
import inspect
import math
from collections.abc import Mapping
from typing import Any

import keras

from tfvae import layers
from tfvae.data import Splits
from tfvae.parts import FAMILIES, is_own_code, kinds, part_of
from tfvae.parts.building import build, call, constructor
from tfvae.training.config import RunConfig
from tfvae.training.latent_space import GYROPLANE, ball_curvature
from tfvae.training.likelihoods import SIZED


@dataclasses.dataclass(frozen=True)
class ModelParts:
    """Networks and distribution layers of a model. Each method makes a new one.

    Args:
        config: Resolved configuration.
        splits: Data.
    """

    config: RunConfig
    splits: Splits

    @property
    def event_shape(self) -> tuple[int, ...]:
        """The shape of one x."""
        return self.splits.event_shape

    @functools.cached_property
    def _kind(self) -> tuple[str, dict[str, Any]]:
        return part_of(self.config.model.network, "model.network")

    @property
    def _num_axes(self) -> int:
        given = {} if is_own_code(self._kind[0]) else self._kind[1]
        return given.get("num_axes", len(self.event_shape) - 1)

    @property
    def image_shape(self) -> tuple[int, ...]:
        """The shape of one x in networks with spatial axes. All other axes are merged to channels; vectors get one."""
        num_axes, shape = self._num_axes, self.event_shape
        return (*shape[:num_axes], math.prod(shape[num_axes:])) if self._is_merged else shape

    @property
    def _is_merged(self) -> bool:
        return self._num_axes != len(self.event_shape) - 1

    @property
    def _of_networks(self) -> dict[str, Any]:
        model = self.config.model
        return {"activation": model.activation, "image_shape": self.image_shape, "num_axes": self._num_axes}

    @property
    def _arguments(self) -> dict[str, Any]:
        left = ("decoder",) if is_own_code(self._kind[0]) else ("num_axes",)
        return {name: value for name, value in self._kind[1].items() if name not in left}

    def encoder_body(self, output_size: int, name: str = "encoder_body", *, merges: bool = True) -> keras.Model:
        """Makes a network from x, or from x with more channels, to a number of outputs.

        Args:
            output_size: Number of outputs.
            name: Name of the network.
            merges: Whether it begins with the reshaping of x to `image_shape`, if that differs.
        """
        model, (kind, _) = self.config.model, self._kind
        path = kind if is_own_code(kind) else kinds.ENCODERS[kind]
        available = {"hidden": model.hidden, "filters": model.filters, **self._of_networks}
        body = call(path, "model.network", self._arguments, {**available, "output_size": output_size, "name": name})
        if self._is_merged and merges:
            body = keras.Sequential([keras.layers.Reshape(self.image_shape), *body.layers], name=name)
        return body

    def decoder_body(self) -> keras.Model:
        """Makes the network from z to the parameters of the likelihood."""
        model, (kind, arguments) = self.config.model, self._kind
        path = arguments["decoder"] if is_own_code(kind) else kinds.DECODERS[kind]
        available = {"hidden": model.hidden[::-1], "filters": model.filters[::-1], **self._of_networks}
        size = _params_size(model.likelihood, "model.likelihood", self._of_x)
        if self.takes_sizes:
            size -= 1  # of the row, which is given
        if kind == GYROPLANE:
            available["curvature"] = ball_curvature(model)
        available |= {"output_size": size, "name": "decoder_body"}
        body = call(path, "model.network", self._arguments, available)
        return keras.Sequential([self.points(), *body.layers], name=body.name) if kind == GYROPLANE else body

    def points(self) -> keras.KerasTensor:
        """Makes the input of a network of points of the Poincare ball.

        Without it, a network in half precision rounds z before its first layer, to the boundary of the ball.
        """
        dtype = keras.config.dtype_policy().variable_dtype
        return keras.Input((self.config.model.latent_size,), dtype=dtype, name="z")

    @property
    def takes_sizes(self) -> bool:
        """Whether the last number of a condition is the size of a row of counts."""
        return self.config.model.likelihood_kind == SIZED

    @property
    def num_parameters(self) -> int:
        """The number of parameters of the posterior."""
        return _params_size(self.config.model.posterior, "model.posterior", self._of_z)

    @property
    def _of_z(self) -> dict[str, Any]:
        size = self.config.model.latent_size
        return {"event_size": size, "event_shape": (size,)}

    @property
    def _of_x(self) -> dict[str, Any]:
        shape = self.event_shape
        size = {"event_size": shape[0]} if len(shape) == 1 else {}
        return {"event_shape": shape, "schema": self.splits.schema, **size}

    def posterior(self) -> list[keras.layers.Layer]:
        """Makes the last layers of the encoder, of which the last is a distribution layer."""
        found = build(self.config.model.posterior, "model.posterior", **self._of_z, name="posterior")
        return found if isinstance(found, list) else [found]

    def likelihood(self) -> tuple[list[keras.layers.Layer], keras.layers.Layer]:
        """Makes the layers for x alone before the encoder, and the distribution layer of the decoder.

        There are such layers if the model standardises, or x is a row of a table or of counts. They and the
        distribution layer then have to be adapted.
        """
        value = self.config.model.likelihood
        layer = build(value, "model.likelihood", **self._of_x, name="likelihood")
        if isinstance(layer, layers.TableLikelihood):
            return [layers.TableEncoding(layer.schema, name="encoding")], layer
        if self.takes_sizes:
            return [layers.LogCounts(name="log_counts")], layer
        if self.config.model.standardize != "on":
            return [], layer
        before = layers.Standardization(name="standardization")
        inner = build(value, "model.likelihood", **self._of_x, name="standardized")
        return [before], layers.Standardized(inner, name="likelihood")


def _params_size(value: Any, setting: str, available: Mapping[str, Any]) -> int:
    """Returns the number of outputs of the network before a distribution layer."""
    kind, arguments = part_of(value, setting)
    path = FAMILIES[setting].kinds[kind]
    known = inspect.signature(constructor(path).params_size).parameters
    needed = {name: each for name, each in {**available, **arguments}.items() if name in known}
    return call(path, setting, needed, {}, method="params_size")
