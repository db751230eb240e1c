"""Neural spline transform of a normalizing flow."""

from collections.abc import Sequence
from typing import Any

from tfvae._checks import number, whole_number
from tfvae._serialization import register
from tfvae.flows import _rational_quadratic
from tfvae.flows._coupling_transform import CouplingTransform
from tfvae.typing import Tensor


@register
class Spline(CouplingTransform):
    """Neural spline coupling: each element of one half passes an increasing function that the other half determines.

    The functions are rational-quadratic splines of [-bound, bound] and the identity outside. They can make several
    modes of one, so few transforms make a flexible posterior; `Coupling` is cheaper. Both directions take one pass
    through the network. Each transform moves only one half: use at least two, in alternate orders.

    Args:
        hidden_units: See `Coupling`.
        num_bins: Number of bins of a spline, K, at least 2.
        bound: Where the splines end. Choose it so that most draws of the posterior or the prior are inside.
        context_size: See `Coupling`.
        activation: See `Coupling`.
        input_order: See `Coupling`.
        seed: See `Coupling`.
        **kwargs: See `Transform`.

    Raises:
        ValueError: If a size, `bound` or `input_order` is invalid.

    Numerics:
        A bin is at least a tenth as wide and as high as 2 bound / K, and slopes at knots are between exp(-2) and
        exp(2): float32 would not determine the inverse of flatter functions. The function is computed as x plus a
        deviation. The last layer of the network is initialised to zero, for which the deviation is zero, exactly. The
        inverse is the root of a quadratic equation. The network computes in float32 or float64.

    References:
        Durkan, Bekasov, Murray & Papamakarios, Neural Spline Flows, 2019, arXiv 1906.04032, section 3.1 and
        appendix A.1.
    """

    def __init__(
        self,
        hidden_units: Sequence[int] = (64, 64),
        num_bins: int = 8,
        bound: float = 4.0,
        context_size: int = 0,
        activation: Any = "tanh",
        input_order: str = "left-to-right",
        seed: int | None = None,
        **kwargs: Any,
    ):
        super().__init__(hidden_units, context_size, activation, input_order, seed, **kwargs)
        self.num_bins = whole_number(num_bins, "num_bins", at_least=2)
        self.bound = float(number(bound, "bound", above=0))

    @property
    def num_raw(self) -> int:
        return 3 * self.num_bins - 1

    def move(self, values: Tensor, raw: Tensor) -> tuple[Tensor, Tensor]:
        return _rational_quadratic.forward(values, self._bins(raw))

    def move_back(self, values: Tensor, raw: Tensor) -> tuple[Tensor, Tensor]:
        return _rational_quadratic.inverse(values, self._bins(raw))

    def _bins(self, raw: Tensor) -> _rational_quadratic.Bins:
        return _rational_quadratic.bins_of(raw, self.num_bins, self.bound)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "num_bins": self.num_bins, "bound": self.bound}
