"""Checks of the settings of labels that need no data."""

from tfvae._errors import quoted
from tfvae.training.config import RunConfig


def check_labels(config: RunConfig) -> None:
    """Raises ValueError if settings of the labels do not fit the kind of model. Looks at no data."""
    data, model = config.data, config.model
    if model.kind == "m2" and data.condition:
        raise ValueError(
            'data.condition must be "" with model.kind = "m2", whose labels are latents. '
            f"Received: data.condition={quoted(data.condition)}"
        )
    for name in ("num_labels", "labelled_per_batch"):
        if model.kind != "m2" and getattr(data, name):
            raise ValueError(
                f'data.{name} has no effect without model.kind = "m2" (--model m2), a model of labels. '
                f"Received: data.{name}={getattr(data, name)}"
            )
    if 0 < config.training.batch_size <= data.labelled_per_batch:  # 0 is chosen later
        raise ValueError(
            f"data.labelled_per_batch must be less than training.batch_size, {config.training.batch_size}. "
            f"Received: data.labelled_per_batch={data.labelled_per_batch}"
        )
