"""Logistic components."""

from tfvae._serialization import register
from tfvae.layers._mixture import MixtureLayer, mixture_params_size
from tfvae.layers.independent_logistic import IndependentLogistic
from tfvae.layers.mixture_same_family import MixtureSameFamily
from tfvae.typing import Distribution, Shape, Tensor


@register
class MixtureLogistic(MixtureLayer):
    """A mixture of K independent-logistic distributions, for continuous data with outliers.

    Its tails are heavier than those of `MixtureNormal`, and its distribution function is a sum of sigmoids.

    Args:
        num_components: K, the number of components.
        event_shape: shape of one event; a draw takes all of it from one component.
        convert_to_tensor_fn: see `DistributionLayer`.
        validate_args: see `DistributionLayer`.
        **kwargs: see `DistributionLayer`.

    Call arguments:
        inputs: `[..., K (1 + 2 prod(event_shape))]`: the K logits of the mixture, then, one component after another,
            its locs and its raw scales.

    Returns:
        `MixtureSameFamily(Categorical(logits), Independent(Logistic(loc, softplus(raw_scale))))`; train it
        through `log_prob`: its samples are not reparameterised (see `MixtureSameFamily`).

    Numerics:
        Scales are no lower than 1e-5; above that they are TFP's to the last bit.

    Example:
        >>> model = keras.Sequential(
        ...     [keras.layers.Dense(MixtureLogistic.params_size(5, (1,))), MixtureLogistic(5, (1,))]
        ... )
    """

    @staticmethod
    def new(
        params: Tensor,
        num_components: int,
        event_shape: Shape | int = (),
        validate_args: bool = False,
        name: str | None = None,
    ) -> Distribution:
        """The distribution with these parameters `[..., params_size(num_components, event_shape)]`."""
        return MixtureSameFamily.new(
            params,
            num_components,
            lambda component_params: IndependentLogistic.new(component_params, event_shape, validate_args),
            validate_args,
            name or "MixtureLogistic",
        )

    @staticmethod
    def params_size(num_components: int, event_shape: Shape | int = (), name: str | None = None) -> int:
        """The number of parameters a mixture of this event shape takes."""
        return mixture_params_size(num_components, IndependentLogistic.params_size(event_shape))
