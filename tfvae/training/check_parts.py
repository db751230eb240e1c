"""Checks of the parts of a configuration that need no data."""

from tfvae._errors import quoted
from tfvae.parts import is_own_code, is_part, part_of
from tfvae.parts.building import build, resolved
from tfvae.training.beta import number_or_weighting, schedule_callbacks
from tfvae.training.config import RunConfig
from tfvae.training.flow_parts import check_transforms
from tfvae.training.run_callbacks import make_callbacks
from tfvae.training.settings import TrainingConfig


def check_parts(config: RunConfig) -> None:
    """Checks the arguments of all parts, so that a mistake is reported before data are loaded or a run is written.

    Schedules and callbacks are made too. Others are not, because Keras counts the names of layers and optimizers.

    Raises:
        ValueError: If an argument of a part is unknown, missing or out of range, or two parts do not fit.
    """
    model, training = config.model, config.training
    if not is_own_code(model.network_kind):
        resolved(model.network, "model.network")
    if model.likelihood != "auto":
        resolved(model.likelihood, "model.likelihood")
    resolved(model.posterior, "model.posterior")
    resolved(model.prior, "model.prior")
    check_transforms(model)
    resolved(training.estimator, "training.estimator")
    resolved(training.optimizer, "training.optimizer")
    if is_part(training.learning_rate):
        resolved(training.learning_rate, "training.learning_rate")
        build(training.learning_rate, "training.learning_rate")
    if is_part(training.beta):
        resolved(training.beta, "training.beta")
    number_or_weighting(training.beta)
    schedule_callbacks(training.beta)
    for callback in training.callbacks:
        resolved(callback, "training.callbacks")
    make_callbacks(training)
    _check_plateau(training)


def _check_plateau(training: TrainingConfig) -> None:
    """Raises ValueError if a callback would change a learning rate that a schedule sets."""
    names = [part_of(callback, "training.callbacks")[0] for callback in training.callbacks]
    if "reduce_lr_on_plateau" in names and is_part(training.learning_rate):
        raise ValueError(
            "training.learning_rate must be a number with the callback reduce_lr_on_plateau, which changes it. "
            f"Received: training.learning_rate={quoted(training.learning_rate)}"
        )
