"""Base class of the priors on the Poincare ball."""

from typing import Any, ClassVar

import keras
import tensorflow as tf

from tfvae._checks import number, whole_number
from tfvae._numerics import SCALE_FLOOR, as_float, softplus_inverse, softplus_scale
from tfvae._poincare import checked_curvature
from tfvae.priors.prior import Prior
from tfvae.typing import Tensor


class BallPrior(Prior):
    """Base class of priors at the origin of the Poincare ball, with a scale that is given or learned.

    Args:
        latent_size: Number of latent dimensions, D.
        curvature: Curvature c of the ball.
        scale: Scale, in units of distance.
        learned: Whether the scale is trained, from `scale` on.
        **kwargs: Arguments `name` and `dtype` of `keras.layers.Layer`.

    Raises:
        ValueError: If `latent_size` is below 1, or `curvature` or `scale` is not above 0, or `scale` is above
            `max_scale`.
    """

    # The largest scale whose draws do not round to the boundary of the ball: of D, curvature and dtype.
    max_scale: ClassVar[Any]

    def __init__(
        self, latent_size: int, curvature: float = 1.0, scale: float = 1.0, learned: bool = False, **kwargs: Any
    ):
        super().__init__(**kwargs)
        self.latent_size = whole_number(latent_size, "latent_size")
        self.curvature = checked_curvature(curvature)
        self.scale = float(number(scale, "scale", above=SCALE_FLOOR))
        self.learned = bool(learned)
        self._check_scale()
        raw = keras.initializers.Constant(float(softplus_inverse(self.scale - SCALE_FLOOR)))
        self.raw_scale = (
            self.add_weight(name="raw_scale", shape=(), initializer=raw, autocast=False) if self.learned else None
        )

    def _check_scale(self) -> None:
        dtype = self.distribution_dtype
        largest = self.max_scale(self.latent_size, self.curvature, dtype)
        if self.scale > largest:
            raise ValueError(
                f"`scale` must be at most {largest:.3g} for latent_size={self.latent_size} and "
                f"curvature={self.curvature:g} in {dtype.name}, because farther points round to the boundary of the "
                "ball. Use a smaller scale or curvature, fewer dimensions or dtype float64. "
                f"Received: scale={self.scale:g}"
            )

    @property
    def distribution_dtype(self) -> tf.DType:
        """The dtype of the distribution: float64 for a layer of that dtype, else float32."""
        return tf.float64 if self.variable_dtype == "float64" else tf.float32

    @property
    def event_shape(self) -> tuple[int, ...]:
        return (self.latent_size,)

    @property
    def current_scale(self) -> Tensor:
        """The scale `[]`, given or learned."""
        if self.raw_scale is None:
            return tf.constant(self.scale, self.distribution_dtype)
        return softplus_scale(as_float(self.raw_scale))

    def get_config(self) -> dict[str, Any]:
        config = {"latent_size": self.latent_size, "curvature": self.curvature}
        return {**super().get_config(), **config, "scale": self.scale, "learned": self.learned}
