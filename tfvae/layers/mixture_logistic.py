"""Distribution layer for mixtures of logistic distributions."""

from tfvae._serialization import register
from tfvae.layers._mixture import MixtureLayer, mixture_params_size
from tfvae.layers.independent_logistic import IndependentLogistic
from tfvae.layers.mixture_same_family import MixtureSameFamily
from tfvae.typing import Distribution, Shape, Tensor


@register
class MixtureLogistic(MixtureLayer):
    """Mixture of K independent logistic distributions, for continuous data with outliers.

    Its tails are heavier than those of `MixtureNormal`, and its distribution function is a weighted sum of sigmoids.

    Args:
        num_components: Number of components, K.
        event_shape: Shape of one event. Each draw is a whole event of one component.
        convert_to_tensor_fn: See `DistributionLayer`.
        validate_args: See `DistributionLayer`.
        **kwargs: See `DistributionLayer`.

    Call arguments:
        inputs: Parameters `[..., K (1 + 2 prod(event_shape))]`: the K logits of the mixture, then the locs and the raw
            scales of each component in turn.

    Returns:
        `MixtureSameFamily(Categorical(logits), Independent(Logistic(loc, softplus(raw_scale))))`. Train it with
        `log_prob`, because its samples are not reparameterised (see `MixtureSameFamily`).

    Numerics:
        Scales are at least 1e-5. Above that, they equal TFP's scales bit for bit.

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
        """Creates the distribution from parameters `[..., params_size(num_components, event_shape)]`."""
        return MixtureSameFamily.new(
            params,
            num_components,
            lambda component_params: IndependentLogistic.new(component_params, event_shape, validate_args),
            validate_args,
            name or "MixtureLogistic",
        )

    @staticmethod
    def params_size(num_components: int, event_shape: Shape | int = (), name: str | None = None) -> int:
        """Returns the number of parameters of a mixture with this event shape."""
        return mixture_params_size(num_components, IndependentLogistic.params_size(event_shape))
