"""Layer that adds a KL term to the loss."""

from typing import Any

import keras

from tfvae._serialization import register
from tfvae.layers.kl_divergence_regularizer import KLDivergenceRegularizer
from tfvae.typing import Distribution, Tensor


@register
class KLDivergenceAddLoss(keras.layers.Layer):
    """Returns its input distribution and adds `weight` * KL(q || p) to the loss.

    The term equals that of `KLDivergenceRegularizer`. Prefer this layer if a separate layer is clearer, for example at
    the end of a `Sequential` encoder.

    Args:
        distribution_b: The prior. This and the other arguments are those of `KLDivergenceRegularizer`.
        use_exact_kl: See `KLDivergenceRegularizer`.
        test_points_reduce_axis: See `KLDivergenceRegularizer`.
        test_points_fn: See `KLDivergenceRegularizer`.
        weight: See `KLDivergenceRegularizer`.
        **kwargs: Arguments `name` and `dtype` of `keras.layers.Layer`.

    Call arguments:
        inputs: The output of a distribution layer.

    Returns:
        The same object.
    """

    def __init__(
        self,
        distribution_b: Any,
        use_exact_kl: bool | None = None,
        test_points_reduce_axis: Any = (),
        test_points_fn: Any = None,
        weight: Any = None,
        **kwargs: Any,
    ):
        kwargs.setdefault("autocast", False)
        super().__init__(**kwargs)
        points = {} if test_points_fn is None else {"test_points_fn": test_points_fn}
        self.regularizer = KLDivergenceRegularizer(
            distribution_b, use_exact_kl, test_points_reduce_axis, weight=weight, **points
        )
        # Keras tracks the weights of a layer's attributes, but not those of its regularisers.
        self.regularizer_prior = self.regularizer.prior_layer
        self.supports_masking = True

    def build(self, input_shape: Any) -> None:
        self.regularizer.build()
        if self.regularizer.captured_variables:
            self.regularizer_variables = self.regularizer.captured_variables
        self.built = True

    def call(self, inputs: Distribution, mask: Tensor | None = None) -> Distribution:
        self.add_loss(self.regularizer(inputs, mask))
        return inputs

    def compute_output_spec(self, inputs: keras.KerasTensor, mask: Any = None) -> keras.KerasTensor:
        """Returns the shape and dtype of the input."""
        return keras.KerasTensor(inputs.shape, dtype=inputs.dtype)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), **self.regularizer.get_config()}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> "KLDivergenceAddLoss":
        arguments = dict(config)
        names = ("distribution_b", "use_exact_kl", "test_points_reduce_axis", "test_points_fn", "weight")
        regularizer = KLDivergenceRegularizer.from_config({name: arguments.pop(name) for name in names})
        return cls(**{name: getattr(regularizer, name) for name in names}, **arguments)
