"""Masks of inputs that are lists or dictionaries."""

from typing import Any

import keras

from tfvae.typing import Tensor


def joint_mask(masks: Any) -> Tensor | None:
    """One mask from those of several inputs: True where every input that has a mask is valid; None without any.

    Args:
        masks: a mask, None, or a nest of them, as Keras gives it to a layer called on a nest of tensors.
    """
    joint = None
    for mask in keras.tree.flatten(masks):
        if mask is None:
            continue
        if joint is None:
            joint = mask
            continue
        rank = max(len(joint.shape), len(mask.shape))
        joint = keras.ops.logical_and(_with_rank(joint, rank), _with_rank(mask, rank))
    return joint


def _with_rank(mask: Tensor, rank: int) -> Tensor:
    while len(mask.shape) < rank:
        mask = keras.ops.expand_dims(mask, -1)
    return mask
