"""Training and evaluation steps, in one process or on one of several replicas."""

from typing import Any

import tensorflow as tf

from tfvae.execution.replicas import gradients_summed, is_replicated
from tfvae.models._on_replica import OnReplica
from tfvae.models._one_process import InOneProcess
from tfvae.models.objective import metric_name
from tfvae.models.optimizer_group import OptimizerGroup
from tfvae.typing import Tensor


def train_step(model: Any, data: Any) -> dict[str, Tensor]:
    """Applies the updates of the objective one after another, each with its own tape and optimizer.

    The loss is the mean over the whole batch. Gradients are summed over replicas before the optimizer clips them and
    checks that they are finite, as in one process.
    """
    step = _step(model, data, training=True)
    variables = {name: list(some) for name, some in model.objective.variables(model).items()}
    with step.noise():
        updates = model.objective.updates(model, step.batch, training=True, seed=model.next_seed())
    for i, update in enumerate(updates):
        trained = variables.get(update.name)
        if trained is None:
            with step.noise(), step.tracing():
                step.add(update.loss())
            continue
        optimizer = _optimizer_of(model, update.name)
        with step.tracing():
            with step.noise(), tf.GradientTape() as tape:
                loss = step.add(update.loss(), metric_name(update.name, variables), trained)
                scaled = optimizer.scale_loss(loss)
            gradients = tape.gradient(scaled, trained)
        gradients = step.mean_gradients(gradients, is_last=i == len(updates) - 1)
        with gradients_summed(optimizer):
            optimizer.apply(gradients, trained)
    if isinstance(model.optimizer, OptimizerGroup):
        model.optimizer.iterations.assign_add(1)
    return step.report()


def test_step(model: Any, data: Any) -> dict[str, Tensor]:
    """Computes the losses of the objective."""
    step = _step(model, data, training=False)
    with step.noise():
        updates = model.objective.updates(model, step.batch, training=False, seed=model.next_seed())
    variables = model.objective.variables(model)
    for update in updates:
        with step.noise(), step.tracing():
            step.add(update.loss(), metric_name(update.name, variables), variables.get(update.name, ()))
    return step.report()


def _step(model: Any, data: Any, *, training: bool) -> InOneProcess | OnReplica:
    return (OnReplica if is_replicated() else InOneProcess)(model, data, training=training)


def _optimizer_of(model: Any, name: str) -> Any:
    return model.optimizer[name] if isinstance(model.optimizer, OptimizerGroup) else model.optimizer
