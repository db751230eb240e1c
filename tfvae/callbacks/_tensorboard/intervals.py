"""How often each view of a model in training is written."""

from collections.abc import Mapping
from types import MappingProxyType

from tfvae._checks import whole_number

# Epochs between two of a view, by default: what takes long is rare.
EVERY: Mapping[str, int] = MappingProxyType(
    {
        "gradient_norm": 1,
        "latents": 1,
        "heat_map": 20,
        "histograms": 5,
        "samples": 2,
        "reconstructions": 2,
        "posterior_samples": 10,
        "traversals": 10,
        "interpolations": 10,
        "manifold": 10,
        "projector": 20,
        "graph": 1,
        "hparams": 1,
    }
)


def intervals(every: int | Mapping[str, int] | None) -> dict[str, int]:
    """Epochs between two of each view: one number for all, or numbers by name over those of `EVERY`.

    Raises:
        ValueError: for a view that does not exist, or a number that is not whole or is below zero.
    """
    given = every if isinstance(every, Mapping) else {} if every is None else dict.fromkeys(EVERY, every)
    unknown = sorted(set(given) - set(EVERY))
    if unknown:
        raise ValueError(f"every has intervals of views by name; there are {', '.join(EVERY)}. Received: {unknown}.")
    return {**EVERY, **{name: whole_number(value, f"every[{name!r}]", at_least=0) for name, value in given.items()}}
