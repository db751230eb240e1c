"""The parts of what users give as data: x, and labels and weights that go with it."""

from typing import Any, NamedTuple

from tfvae._arrays import is_array_like

# The keys under which a dictionary has its x and its labels; the first one that is there counts.
X_KEYS = ("image", "images", "x")
LABEL_KEYS = ("label", "labels", "y")
CONDITION = "condition"
OBSERVED = "observed"


class Examples(NamedTuple):
    """Some examples, as a user gives them.

    Attributes:
        x: Data `[N, *event]`.
        labels: Whatever was given as targets, or None.
        sample_weight: Weights, or None.
        condition: The condition of a conditional model, or None.
        observed: Boolean array of the shape of x, False at missing values, or None.
    """

    x: Any
    labels: Any = None
    sample_weight: Any = None
    condition: Any = None
    observed: Any = None


def unpack(data: Any) -> Examples:
    """Finds the parts of x, (x, y), (x, y, sample_weight), or any of these with a dictionary for x.

    Raises:
        ValueError: If x has several inputs, or is a dictionary without data.
    """
    import keras  # imported here, because the names above are for programs that do without it

    x, y, sample_weight = keras.utils.unpack_x_y_sample_weight(data)
    if not is_dictionary(x):
        return Examples(single(x), y, sample_weight)
    y = next((x[key] for key in LABEL_KEYS if key in x), None) if y is None else y
    return Examples(single(x), y, sample_weight, x.get(CONDITION), x.get(OBSERVED))


def is_dictionary(data: Any) -> bool:
    """Whether `data` is a dictionary of parts; SciPy's matrices of keys are dictionaries, but arrays."""
    return isinstance(data, dict) and not is_array_like(data)


def single(x: Any) -> Any:
    """Returns the one input of a list, a tuple or a dictionary; other values are returned unchanged.

    Raises:
        ValueError: If there are several inputs, or a dictionary has no data.
    """
    if isinstance(x, list | tuple):
        if len(x) != 1:
            raise ValueError(
                f"A VAE has one input x. Received a {type(x).__name__} of {len(x)}. Examples in a list are stacked "
                "with numpy.stack(x), and labels are given apart: fit(x, y)."
            )
        (x,) = x
    return x[x_key(x)] if isinstance(x, dict) else x


def x_key(x: dict[str, Any]) -> str:
    """Returns the key of the data in a dictionary.

    Raises:
        ValueError: If there is none.
    """
    key = next((key for key in X_KEYS if key in x), next(iter(x)) if len(x) == 1 else None)
    if key is None:
        raise ValueError(
            f"A batch that is a dictionary needs its data under one of the keys {X_KEYS}. Received: {sorted(x)}."
        )
    return key
