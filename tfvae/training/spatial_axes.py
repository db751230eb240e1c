"""Which axes of examples convolutions go along."""

from tfvae._kinds import kind_of
from tfvae.data.split_like import SplitLike

MAX_AXES = 3


def num_spatial_axes(split: SplitLike) -> int:
    """Returns the number of spatial axes of the examples of a split; their other axes are channels.

    Vectors are series of one channel. Floats (N, T, C) are series if they have the proportions of series, and images
    otherwise. Other examples have their channels last.
    """
    shape = split.event_shape
    if len(shape) == 1:
        return 1
    if split.channel_added and kind_of(shape, in_unit_interval=split.in_unit_interval) == "series":
        return len(shape) - 2
    return len(shape) - 1
