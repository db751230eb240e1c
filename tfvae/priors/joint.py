"""Prior over several parts of z."""

from collections.abc import Mapping, Sequence
from typing import Any

import keras

from tfvae._serialization import PACKAGE
from tfvae.layers._conditionals import Conditionals
from tfvae.priors.fixed import Fixed
from tfvae.priors.prior import Prior
from tfvae.typing import Distribution, Tensor


@keras.saving.register_keras_serializable(package=PACKAGE, name="JointPrior")  # "Joint" is the name of the layer
class Joint(Prior):
    """Joint distribution p(z_1) p(z_2|z_1) ... of named parts: priors, and Keras networks of previous parts.

    `tfvae.layers.Joint` is the matching posterior. It may have another order, for example z_1 and then z_2, while the
    prior draws z_2 first. Encoder and prior may share a layer, which remains shared in a loaded model.

    Args:
        parts: Parts by name, in the order of drawing. The first part is a layer of `tfvae.priors` or a TFP
            distribution, which depends on nothing. The others are networks that end in a distribution layer. See
            `tfvae.layers.Joint` for their inputs.
        given: Names of the inputs of a part, by its name. By default a part gets all parts before it.
        **kwargs: `name`, `dtype`, `trainable` of `keras.layers.Layer`.

    Call arguments:
        z: A dictionary of parts `[..., *event]`.

    Returns:
        The log-density log p(z) in nats, `[...]`.

    Raises:
        TypeError: If a part is neither a layer nor a distribution, or does not end in a distribution layer.
        ValueError: If there are no parts, the first is not a prior, or a part depends on a part that is not drawn
            before it.

    Numerics:
        The networks run in inference mode, so that dropout does not change the prior.

    Example:
        >>> prior = Joint({
        ...     "z2": StandardNormal(2),
        ...     "z1": keras.Sequential([keras.layers.Dense(4), tfvae.layers.MultivariateNormalDiag(2)]),
        ... })
        >>> prior.event_shape
        {'z2': (2,), 'z1': (2,)}
    """

    def __init__(
        self,
        parts: Mapping[str, Any],
        given: Mapping[str, Sequence[str]] | None = None,
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        self.parts = {
            name: part if isinstance(part, keras.layers.Layer) else Fixed(part) for name, part in parts.items()
        }
        self._conditionals = Conditionals(
            self.parts, given, owner=f"{type(self).__name__} '{self.name}'", has_inputs=False
        )
        self.given = {name: list(names) for name, names in self._conditionals.given.items()}
        drawn = self._conditionals.build()
        self._event_shape = {name: tuple(z.shape[1:]) for name, z in drawn.items()}
        self.built = True

    @property
    def event_shape(self) -> dict[str, tuple[int, ...]]:
        return dict(self._event_shape)

    def distribution(self) -> Distribution:
        return self._conditionals.joint()

    def call(self, z: Mapping[str, Tensor]) -> Tensor:
        return self.distribution().log_prob(z)

    def get_config(self) -> dict[str, Any]:
        parts = [[name, keras.saving.serialize_keras_object(part)] for name, part in self.parts.items()]
        return {**super().get_config(), "parts": parts, "given": self.given}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> "Joint":
        parts = {name: keras.saving.deserialize_keras_object(part) for name, part in config["parts"]}
        return cls(**{**config, "parts": parts})
