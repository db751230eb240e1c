"""What callbacks ask about the optimizer of a Keras model."""

from typing import Any

import keras


def num_updates(model: keras.Model) -> int:
    """Returns the number of training steps since a model was compiled, in all fits; 0 for a model without optimizer."""
    optimizer = _optimizer(model)
    return 0 if optimizer is None else int(keras.ops.convert_to_numpy(optimizer.iterations))


def learning_rate(model: keras.Model) -> float | None:
    """Returns the learning rate of a model's (first) optimizer; None for a model without optimizer."""
    optimizer = _optimizer(model)
    return None if optimizer is None else float(keras.ops.convert_to_numpy(optimizer.learning_rate))


def batches_per_update(model: keras.Model) -> int:
    """Returns the number of batches whose gradients an optimizer accumulates before it counts a step."""
    return getattr(_optimizer(model), "gradient_accumulation_steps", None) or 1


def optimizer_name(model: keras.Model) -> str | None:
    """Returns the class name of a model's optimizer; None for a model without optimizer."""
    optimizer = _optimizer(model)
    return None if optimizer is None else type(optimizer).__name__


def scales_loss(model: keras.Model) -> bool:
    """Whether an optimizer scales the loss, and so skips steps that are not finite without counting them."""
    return isinstance(_optimizer(model), keras.optimizers.LossScaleOptimizer)


def _optimizer(model: keras.Model) -> Any:
    return getattr(model, "optimizer", None)
