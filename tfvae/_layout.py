"""Layout of an example's values in a picture: panels of bands and slices, and rows of a flattened image."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tfvae._kinds import Kind, flattened_shape

MAX_PANELS = 9


def shown_panels(event_shape: Sequence[int], kind: Kind) -> list[int]:
    """Returns the indices of the bands or slices that have a panel; empty if the example is a single picture."""
    if kind == "volume":
        return _spread(event_shape[0])
    if len(event_shape) == 3 and event_shape[2] not in (1, 3):
        return _spread(event_shape[2])
    return []


def as_pictures(array: NDArray[Any], kind: Kind, fill: Any) -> NDArray[Any]:
    """Converts arrays `[N, *event]` of images or volumes to `[N, H, W, 1 or 3]`, with `fill` between panels.

    The values are only copied, so an array of indices shows the position of each value.
    """
    event_shape = array.shape[1:]
    chosen = shown_panels(event_shape, kind)
    if chosen:
        if kind == "volume":
            channels = 3 if event_shape[3] == 3 else 1
            panels = [array[:, i, ..., :channels] for i in chosen]
        else:
            panels = [array[..., i : i + 1] for i in chosen]
        return _side_by_side(panels, fill)
    if len(event_shape) == 1:
        return array.reshape(len(array), *(flattened_shape(event_shape[0]) or (1, event_shape[0])), 1)
    return array if len(event_shape) == 3 else array[..., np.newaxis]


def _side_by_side(panels: list[NDArray[Any]], fill: Any) -> NDArray[Any]:
    num, height, width, channels = panels[0].shape
    columns = math.ceil(math.sqrt(len(panels)))
    rows = math.ceil(len(panels) / columns)
    whole = np.full((num, rows * (height + 1) - 1, columns * (width + 1) - 1, channels), fill, panels[0].dtype)
    for i, panel in enumerate(panels):
        top, left = (i // columns) * (height + 1), (i % columns) * (width + 1)
        whole[:, top : top + height, left : left + width] = panel
    return whole


def _spread(length: int) -> list[int]:
    """Returns evenly spaced indices of at most `MAX_PANELS` panels."""
    num = min(length, MAX_PANELS)
    return sorted({round(i * (length - 1) / max(num - 1, 1)) for i in range(num)})
