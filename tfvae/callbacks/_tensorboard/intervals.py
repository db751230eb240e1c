"""Number of epochs between two writes of each view."""

from collections.abc import Mapping
from types import MappingProxyType

from tfvae._checks import whole_number

# Default number of epochs between two writes of a view. Views that take long are rare.
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
        "styles": 10,
        "analogies": 10,
        "projector": 20,
        "graph": 1,
        "hparams": 1,
    }
)


def intervals(every: int | Mapping[str, int] | None) -> dict[str, int]:
    """Returns the number of epochs between two writes of each view: `every` for all, or `EVERY` with changes by name.

    Raises:
        ValueError: If a view does not exist, or a number is not an integer of at least 0.
    """
    given = every if isinstance(every, Mapping) else {} if every is None else dict.fromkeys(EVERY, every)
    unknown = sorted(set(given) - set(EVERY))
    if unknown:
        raise ValueError(f"`every` has unknown views. The views are {', '.join(EVERY)}. Received: every with {unknown}")
    return {**EVERY, **{name: whole_number(value, f"every[{name!r}]", at_least=0) for name, value in given.items()}}
