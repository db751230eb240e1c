"""Distribution layer for pixels of a few integer levels, such as 8-bit images."""

from typing import Any, ClassVar

from tfvae._checks import whole_number
from tfvae._serialization import register
from tfvae.layers._discretized import Discretized
from tfvae.layers._event_layers import EventShapeLayer
from tfvae.layers._event_shape import event_shape_tuple, event_size
from tfvae.layers._parameterization import Parameterization
from tfvae.typing import ConvertToTensorFn, Distribution, Shape, Tensor


@register
class DiscretizedLogistic(EventShapeLayer):
    """Independent pixels with `num_bins` gray values, each a logistic variable integrated over its bin.

    Use it for integer images without dequantisation. The log-likelihood is that of the 8-bit data: it is at most 0, and
    -log_prob / (D log 2) is the number of bits per dimension. Prefer `DiscretizedLogisticMixture` if a pixel needs more
    than one mode, or if colour channels depend on each other.

    Args:
        event_shape: Shape of one event, such as `(28, 28, 1)`.
        num_bins: Number of gray values, at least 2. The data are k / (num_bins - 1) for k = 0 ... num_bins - 1, the
            scale on which `tfvae.data` returns integer images.
        convert_to_tensor_fn: See `DistributionLayer`.
        validate_args: See `DistributionLayer`. Values off the grid raise an error.
        **kwargs: See `DistributionLayer`.

    Call arguments:
        inputs: Parameters `[..., 2 * prod(event_shape)]`: all locs, then all raw scales. They are on a scale from
            -1 (black) to 1 (white); an input of zeros gives a broad mode in the middle (loc 0, scale 0.69).

    Returns:
        A distribution over events in [0, 1]. `log_prob(x)` is the log of a probability mass in nats, summed over the
        event. Values off the grid are rounded to the nearest gray value. `mean`, `variance`, `mode` and `entropy` are
        exact. Samples lie on the grid and have no gradient.

    Raises:
        ValueError: If `num_bins` is below 2.

    Numerics:
        scale = max(softplus(raw_scale), 1e-5). The log mass is a sum of logs of positive factors. The mass and
        its gradients are finite if |x - loc| / scale^2 is finite (in float32, |loc| may be 1e28), so improbable pixels
        need no fallback. Moments are sums over the bins in chunks, so their memory does not grow with `num_bins`.

    Example:
        >>> layer = DiscretizedLogistic((28, 28, 1))
        >>> pixels = layer(tf.zeros([4, layer.params_size((28, 28, 1))]))
        >>> bits_per_dim = -pixels.log_prob(tf.zeros([4, 28, 28, 1])) / (784 * np.log(2.0))

    References:
        Salimans, Karpathy, Chen & Kingma, PixelCNN++, 2017, arXiv 1701.05517, section 2.1.
    """

    support: ClassVar[tuple[float, float]] = (0.0, 1.0)

    def __init__(
        self,
        event_shape: Shape | int = (),
        num_bins: int = 256,
        convert_to_tensor_fn: ConvertToTensorFn = "sample",
        validate_args: bool = False,
        **kwargs: Any,
    ):
        super().__init__(event_shape, convert_to_tensor_fn, validate_args, **kwargs)
        self.num_bins = whole_number(num_bins, "num_bins", at_least=2)

    def make_distribution(self, parameters: Tensor) -> Distribution:
        return self.new(parameters, self._event_shape, self.num_bins, self.validate_args)

    @staticmethod
    def new(
        params: Tensor,
        event_shape: Shape | int = (),
        num_bins: int = 256,
        validate_args: bool = False,
        name: str | None = None,
    ) -> Distribution:
        """Creates the distribution from parameters `[..., 2 * prod(event_shape)]`."""
        shape, fixed = event_shape_tuple(event_shape), {"num_bins": whole_number(num_bins, "num_bins", at_least=2)}
        return Parameterization(Discretized, shape, fixed).make(params, validate_args, name)

    @staticmethod
    def params_size(event_shape: Shape | int = (), name: str | None = None) -> int:
        """Returns the number of parameters of a distribution with this event shape."""
        return 2 * event_size(event_shape)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "num_bins": self.num_bins}
