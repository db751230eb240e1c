"""Posterior over several parts of z."""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import keras

from tfvae._seeds import stateless_seed
from tfvae._serialization import register
from tfvae.layers._coercion import DistributionTensor
from tfvae.layers._conditionals import Conditionals
from tfvae.layers._networks import output_layer
from tfvae.layers.distribution_layer import DistributionLayer
from tfvae.typing import Distribution, Tensor


@register
class Joint(DistributionLayer):
    """Joint distribution q(z_1|h) q(z_2|z_1, h) ... of named parts, with a Keras network for each conditional.

    It is the last layer of an encoder whose latents have several parts. A draw is a dictionary of the parts.
    `tfvae.priors.Joint` is the matching prior over the same names in any order. Both may share layers. The KL of each
    part is reported (`tfvae.estimators.kl_by_part`).

    A conditional is called with one tensor. If it has several inputs, they are flattened to vectors and concatenated in
    the order of drawing, with the input of this layer first. A functional model with several inputs is called with a
    list, and one with named inputs (`keras.Model({"inputs": h, "z1": z1}, ...)`) with a dictionary of these inputs. All
    leading axes of draws are merged to one batch axis.

    Args:
        parts: Conditionals by name, in the order of drawing: networks that end in a distribution layer.
        given: Names of the inputs of a part, by its name: of parts before it, and "inputs" for the input of this layer.
            By default a part gets all of them. `{"z3": ["z2"]}` defines a Markov chain.
        seed: Seed of layers in the conditionals that make draws, such as `Dropout`. None draws a seed.
        **kwargs: `activity_regularizer`, see `DistributionLayer`; `name`, `dtype`, `trainable` of `keras.layers.Layer`.

    Call arguments:
        inputs: A tensor `[B, ...]`.
        training: Whether the conditionals run in training mode.

    Returns:
        A joint distribution with batch shape `[B]`. It converts to a tensor as a draw of the part whose name is last in
        alphabetical order.

    Raises:
        TypeError: If a conditional is not a layer or does not end in a distribution layer.
        ValueError: If there are no parts, a part depends on a part that is not drawn before it, or a conditional has
            batch normalization or an activity regularizer, which would count in each evaluation.

    Example:
        >>> size = MultivariateNormalDiag.params_size(2)
        >>> encoder = keras.Sequential([
        ...     keras.layers.Dense(32, activation="relu"),
        ...     Joint({
        ...         "z1": keras.Sequential([keras.layers.Dense(size), MultivariateNormalDiag(2)]),
        ...         "z2": keras.Sequential([keras.layers.Dense(size), MultivariateNormalDiag(2)]),
        ...     }),
        ... ])
    """

    needs_input_shape: ClassVar[bool] = True

    def __init__(
        self,
        parts: Mapping[str, keras.layers.Layer],
        given: Mapping[str, Sequence[str]] | None = None,
        seed: int | None = None,
        **kwargs: Any,
    ):
        super().__init__(seed=seed, **kwargs)
        self._conditionals = Conditionals(parts, given, owner=f"{type(self).__name__} '{self.name}'", has_inputs=True)
        self.parts = dict(parts)
        self.given = {name: list(names) for name, names in self._conditionals.given.items()}

    @property
    def event_shape(self) -> Any:
        layers = {name: output_layer(part, "conditional") for name, part in self.parts.items()}
        shapes = {name: None if layer is None else layer.event_shape for name, layer in layers.items()}
        return None if None in shapes.values() else shapes

    def build(self, input_shape: Any) -> None:
        self._conditionals.build(keras.KerasTensor(input_shape, dtype=self.parameters_dtype.name))
        self._build_regularizer()
        self.built = True

    def call(self, inputs: Tensor, mask: Any = None, training: bool | None = None) -> DistributionTensor:
        return self._regularize(self._make(inputs, training=training), mask)

    def make_distribution(self, inputs: Tensor, *, training: bool | None = None) -> Distribution:
        """Returns the joint distribution for inputs `[B, ...]`, with batch shape `[B]`."""
        return self._conditionals.joint(inputs, training=training, seed=stateless_seed(self.seed_generator))

    def _make(self, inputs: Tensor, training: bool | None = None) -> DistributionTensor:
        return DistributionTensor(self.make_distribution(inputs, training=training), self._convert)

    def get_config(self) -> dict[str, Any]:
        config = super().get_config()
        del config["convert_to_tensor_fn"], config["validate_args"]
        parts = [[name, keras.saving.serialize_keras_object(part)] for name, part in self.parts.items()]
        return {**config, "parts": parts, "given": self.given}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> "Joint":
        parts = {name: keras.saving.deserialize_keras_object(part) for name, part in config["parts"]}
        return cls(**{**config, "parts": parts})
