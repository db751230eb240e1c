"""A transform with its parameters as a TFP bijector, computed once for a value and its Jacobian."""

from typing import Any, Protocol

import tensorflow_probability as tfp

from tfvae.flows._kept_result import KeptResult
from tfvae.typing import Tensor


class _Maps(Protocol):
    name: str

    def forward(self, u: Tensor, parameters: Tensor) -> tuple[Tensor, Tensor]: ...

    def inverse(self, z: Tensor, parameters: Tensor) -> tuple[Tensor, Tensor]: ...


class TransformBijector(tfp.bijectors.Bijector):
    """Bijector z = f(u) of vectors `[..., D]`.

    TFP asks separately for a value and for the log-determinant at it. Here, `forward` and `inverse` compute both, and
    the log-determinant is kept until TFP asks for it, so that a draw and its density take one pass.

    Args:
        transform: The two maps, each with its log-determinant.
        parameters: Raw parameters `[..., P]`.
    """

    def __init__(self, transform: _Maps, parameters: Tensor):
        self._transform, self._parameters_of_examples = transform, parameters
        self._log_det = KeptResult()
        arguments = {"transform": transform, "parameters": parameters}
        super().__init__(
            forward_min_event_ndims=1, is_constant_jacobian=False, parameters=arguments, name=transform.name
        )

    @classmethod
    def _parameter_properties(cls, dtype: Any) -> dict[str, Any]:
        return {}

    def _forward(self, u: Tensor) -> Tensor:
        z, log_det = self._transform.forward(u, self._parameters_of_examples)
        self._log_det.keep(u, log_det)
        return z

    def _inverse(self, z: Tensor) -> Tensor:
        u, log_det = self._transform.inverse(z, self._parameters_of_examples)
        self._log_det.keep(u, log_det)
        return u

    def _forward_log_det_jacobian(self, u: Tensor) -> Tensor:
        kept = self._log_det.take(u)
        return self._transform.forward(u, self._parameters_of_examples)[1] if kept is None else kept
