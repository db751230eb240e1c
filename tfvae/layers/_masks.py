"""Masks of inputs that are lists or dictionaries of tensors."""

from typing import Any

import keras

from tfvae.typing import Tensor


def joint_mask(masks: Any) -> Tensor | None:
    """Combines the masks of several inputs into one by logical and; returns None if there are no masks.

    Args:
        masks: A mask, None, or a nested structure of them, as Keras passes it to a layer called on several tensors.
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
