"""Distribution layer for posteriors that a normalizing flow makes flexible."""

from collections.abc import Sequence
from typing import Any

import keras
import tensorflow as tf
import tensorflow_probability as tfp

from tfvae._serialization import register
from tfvae.flows import Transform, checked_transforms
from tfvae.layers._event_shape import event_size_of
from tfvae.layers._flow_distribution import FlowDistribution
from tfvae.layers.distribution_layer import DistributionLayer
from tfvae.layers.multivariate_normal_diag import MultivariateNormalDiag
from tfvae.typing import ConvertToTensorFn, Distribution, Tensor


@register
class NormalizingFlow(DistributionLayer):
    """Diagonal normal followed by invertible transforms z = f_T(... f_1(u)) whose parameters depend on the input.

    A draw and its density take one pass through the transforms. The density of other values takes their inverses. The
    KL to a prior has no closed form, so estimators compute it from draws. `mean` and `stddev` have none either: they
    are averages over 128 draws that are fixed, so that equal inputs have equal moments.

    Args:
        event_size: Number of dimensions, D.
        transforms: The transforms from u to z, layers of `tfvae.flows`, first the one next to u. Their weights are
            trained and saved with this layer.
        convert_to_tensor_fn: See `DistributionLayer`.
        validate_args: See `DistributionLayer`.
        **kwargs: See `DistributionLayer`.

    Call arguments:
        inputs: Parameters `[..., params_size(D, transforms)]`: 2 D of the normal, as in `MultivariateNormalDiag`; then
            those of each transform.

    Returns:
        A transformed distribution of event shape `[D]`.

    Raises:
        TypeError: If `transforms` is not a sequence of transforms.
        ValueError: If a transform is in the sequence twice.

    References:
        Rezende & Mohamed, Variational Inference with Normalizing Flows, 2015, arXiv 1505.05770, section 3.
    """

    def __init__(
        self,
        event_size: int,
        transforms: Sequence[Transform],
        convert_to_tensor_fn: ConvertToTensorFn = "sample",
        validate_args: bool = False,
        **kwargs: Any,
    ):
        super().__init__(convert_to_tensor_fn, validate_args, **kwargs)
        self.event_size = event_size_of(event_size)
        self.transforms = checked_transforms(transforms)

    @staticmethod
    def params_size(event_size: int, transforms: Sequence[Transform], name: str | None = None) -> int:
        """Returns the number of parameters of a distribution of this size."""
        return MultivariateNormalDiag.params_size(event_size) + sum(t.params_size(event_size) for t in transforms)

    @property
    def event_shape(self) -> tuple[int, ...]:
        return (self.event_size,)

    @property
    def parameters_size(self) -> int:
        return self.params_size(self.event_size, self.transforms)

    def build(self, input_shape: Any) -> None:
        for transform in self.transforms:
            if not transform.built:
                transform.build((None, self.event_size))
        super().build(input_shape)

    def make_distribution(self, parameters: Tensor) -> Distribution:
        """Creates the distribution of z from parameters `[..., params_size]`."""
        sizes = [transform.params_size(self.event_size) for transform in self.transforms]
        of_base, *of_transforms = tf.split(
            parameters, [MultivariateNormalDiag.params_size(self.event_size), *sizes], axis=-1
        )
        base = MultivariateNormalDiag.new(of_base, self.event_size, self.validate_args)
        steps = [t.bijector(of_one) for t, of_one in zip(self.transforms, of_transforms, strict=True)]
        # A chain applies its last bijector first.
        return FlowDistribution(
            base, tfp.bijectors.Chain(steps[::-1]), validate_args=self.validate_args, name=self.name
        )

    def get_config(self) -> dict[str, Any]:
        transforms = [keras.saving.serialize_keras_object(transform) for transform in self.transforms]
        return {**super().get_config(), "event_size": self.event_size, "transforms": transforms}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> "NormalizingFlow":
        transforms = [keras.saving.deserialize_keras_object(transform) for transform in config["transforms"]]
        return cls(**{**config, "transforms": transforms})
