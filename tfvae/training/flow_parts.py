"""Posterior and prior that are normalizing flows of one kind of transform, from the settings of a run."""

from collections.abc import Sequence
from typing import Any

from tfvae._checks import whole_number
from tfvae._errors import quoted, reason
from tfvae.flows import Transform
from tfvae.layers import NormalizingFlow
from tfvae.parts import part_of
from tfvae.parts.building import arguments_of, build
from tfvae.priors import Flow
from tfvae.training.settings import ModelConfig

_POSTERIOR, _PRIOR = "model.posterior.transform", "model.prior.transform"
_ORDERS = "left-to-right", "right-to-left"


def flow(event_size: int, transform: Any = "planar", num_transforms: int = 8, *, name: str = "posterior") -> Any:
    """Creates a diagonal normal followed by invertible transforms whose parameters depend on x.

    Before training, it almost equals the diagonal normal. Transforms with an order of the dimensions alternate it.

    Args:
        event_size: Number of latent dimensions, D.
        transform: Kind of the transforms, a part: "planar", or a table such as {kind = "sylvester", num_vectors = 8}.
        num_transforms: Number of transforms, at least 1.
        name: Name of the layer.

    References:
        Rezende & Mohamed, Variational Inference with Normalizing Flows, 2015, arXiv 1505.05770.
    """
    return NormalizingFlow(event_size, _transforms(transform, num_transforms, _POSTERIOR), name=name)


def _params_size(event_size: int, transform: Any = "planar", num_transforms: int = 8) -> int:
    return NormalizingFlow.params_size(event_size, _transforms(transform, num_transforms, _POSTERIOR))


flow.params_size = _params_size  # type: ignore[attr-defined]


def flow_prior(
    latent_size: int,
    num_transforms: int = 4,
    hidden_units: Sequence[int] = (64, 64),
    activation: str = "tanh",
    transform: Any = None,
    *,
    seed: int | None = None,
    name: str = "prior",
) -> Flow:
    """Normalizing flow: a standard normal transformed by learned transforms, masked autoregressive ones by default.

    Before training, it equals the standard normal.

    Args:
        latent_size: Number of latent dimensions, D.
        num_transforms: Number of transforms.
        hidden_units: Number of units of each hidden layer in the network of a masked autoregressive transform.
        activation: Activation of its hidden layers.
        transform: Kind of other transforms, a part: "planar", or a table such as {kind = "sylvester", num_vectors =
            8}. Give `hidden_units` and `activation` of other networks in this table.
        seed: Integer seed of the initial weights. None draws a random seed.
        name: Name of the prior.

    References:
        Papamakarios, Pavlakou & Murray, Masked Autoregressive Flow for Density Estimation, 2017, arXiv 1705.07057.
    """
    if transform is None:
        return Flow(latent_size, num_transforms, hidden_units, activation, seed, name=name)
    return Flow(latent_size, seed=seed, transforms=_transforms(transform, num_transforms, _PRIOR), name=name)


def check_transforms(model: ModelConfig) -> None:
    """Raises ValueError if an argument of a flow has no effect, or a transform does not fit the latent dimensions."""
    for setting, value in (("model.posterior", model.posterior), ("model.prior", model.prior)):
        kind, arguments = part_of(value, setting)
        transform = arguments.get("transform")
        if kind != "flow" or transform is None:
            continue
        if setting == "model.prior":
            defaults = arguments_of(setting, kind)
            for name in ("hidden_units", "activation"):
                default = defaults[name].default
                if tuple(arguments.get(name, default)) != tuple(default):
                    raise ValueError(
                        f"{setting}.{name} has no effect with a transform. Give the arguments of the transform in its "
                        f"table, as in {setting}.transform = {{kind = {quoted(part_of(transform, _PRIOR)[0])}, ...}}. "
                        f"Received: {setting}.{name}={quoted(arguments[name])}"
                    )
        (one,) = _transforms(transform, 1, f"{setting}.transform")
        try:
            one.params_size(model.latent_size)
        except ValueError as error:
            raise ValueError(f"{setting}.transform cannot be made: {reason(error)}") from error


def _transforms(value: Any, num_transforms: int, setting: str) -> list[Transform]:
    number = whole_number(num_transforms, "num_transforms")
    return [build(value, setting, input_order=_ORDERS[index % 2], name=f"transform_{index}") for index in range(number)]
