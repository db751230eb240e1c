"""`compile` for an objective with several updates."""

from collections.abc import Sequence
from typing import Any, Literal

import keras
import tensorflow as tf

from tfvae._checks import whole_number
from tfvae._seeds import stateless_seed
from tfvae.estimators import Estimate, Estimator
from tfvae.execution import Execution, optimizer_state
from tfvae.execution.step_functions import StepFunctions
from tfvae.models import _validation
from tfvae.models._checked_input_model import CheckedInputModel
from tfvae.models._metrics import RunningMeans, reported_by
from tfvae.models.batch import Batch
from tfvae.models.objective import Objective, metric_name
from tfvae.models.optimizer_group import as_optimizer, members_of
from tfvae.typing import Seed, Tensor


class CompiledModel(CheckedInputModel):
    """Keras model that minimises an objective, with one optimizer for each of its updates.

    `VAE` adds the objective, the estimator, `beta` and `estimate`.

    Args:
        **kwargs: Arguments of `keras.Model`.
    """

    estimator: Estimator
    beta: Any
    seed_generator: keras.random.SeedGenerator
    objective_layers: list[keras.layers.Layer]
    running_means: RunningMeans
    # Attributes of `keras.Model`.
    train_function: Any
    test_function: Any

    def __init__(self, **kwargs: Any):
        super().__init__(**kwargs)
        self._compile_arguments: dict[str, Any] = {"jit_compile": "auto", "steps_per_execution": "auto"}
        self._step_functions = StepFunctions(self)
        self.execution = Execution()  # shared by `fit`, its callbacks and the compiled loop

    def estimate(self, x: Tensor | Batch, *, training: bool = False, seed: Seed = None) -> Estimate:
        """Estimates the bound of a batch."""
        raise NotImplementedError

    def compile(
        self,
        optimizer: Any = "adam",
        *,
        jit_compile: bool | Literal["auto"] = "auto",
        steps_per_execution: int | Literal["auto"] = "auto",
        **kwargs: Any,
    ) -> None:
        """Configures the model for training. Other arguments are those of `keras.Model.compile`.

        Args:
            optimizer: A Keras optimizer or its name. For an objective with several updates, a dictionary of optimizers
                by the names of the updates, such as `{"model": "adam", "discriminator": "sgd"}`, or one optimizer,
                which is copied for each update.
            jit_compile: Whether to compile the steps with XLA. "auto" uses XLA unless it is slower (convolutions on a
                CPU) or impossible, and logs the choice to the logger `tfvae`.
            steps_per_execution: Number of steps per compiled call. Callbacks run between calls. "auto" chooses many
                steps, or one if a callback has hooks for batches but no attribute `knows_executions = True`. With
                callbacks that have a number `every_steps`, calls end after about that many steps.
            **kwargs: `run_eagerly`, `auto_scale_loss`.

        Raises:
            ValueError: If a loss or metrics are given, which are those of the objective, or if the names of the
                optimizers are not those of the updates.
        """
        _validation.refuse_losses(kwargs, self.estimator)
        is_auto = steps_per_execution == "auto"
        steps = 1 if is_auto else whole_number(steps_per_execution, "steps_per_execution")
        names = list(self.objective.variables(self))
        if len(names) != 1 or isinstance(optimizer, dict):
            scale_losses = kwargs.pop("auto_scale_loss", True) and self.dtype_policy.name == "mixed_float16"
            optimizer = as_optimizer(optimizer, names, scale_losses=scale_losses)
            kwargs["auto_scale_loss"] = len(names) == 1 and scale_losses  # a group's members are scaled already
        super().compile(optimizer=optimizer, jit_compile=jit_compile, steps_per_execution=steps, **kwargs)
        self._compile_arguments = {"jit_compile": jit_compile, "steps_per_execution": steps_per_execution}
        self._step_functions = StepFunctions(self)

    def get_compile_config(self) -> dict[str, Any]:
        config = super().get_compile_config()
        return {**config, **self._compile_arguments} if config else config

    def compile_from_config(self, config: dict[str, Any]) -> None:
        self.compile(**keras.saving.deserialize_keras_object(config))
        if self.built:
            self.build_optimizer()

    def make_train_function(self, force: bool = False) -> None:
        if force or self.train_function is None or self._step_functions.are_outdated("train"):
            super().make_train_function(force=True)
            if self.built:
                self.build_optimizer()  # else the first step is traced twice
            self.train_function = self._step_functions.train(self.train_function, force=force)

    def make_test_function(self, force: bool = False) -> None:
        if force or self.test_function is None or self._step_functions.are_outdated("test"):
            super().make_test_function(force=True)
            self.test_function = self._step_functions.test(self.test_function, force=force)

    @property
    def requested_jit_compile(self) -> bool | Literal["auto"]:
        """The argument of `compile`. Keras replaces "auto" in `jit_compile`."""
        return self._compile_arguments["jit_compile"]

    def compiled_parts(self) -> list[Any]:
        """Returns the objects that a compiled step depends on, apart from variables."""
        return [self.estimator, self.objective]

    # Training -----------------------------------------------------------------------------------------------------

    @property
    def objective(self) -> Objective:
        """Defines what a training step minimises. A new objective takes effect with the next `compile`."""
        return self._objective

    @objective.setter
    def objective(self, objective: Objective) -> None:
        if self.built and objective.layers:
            raise ValueError(
                "An objective with layers must be passed to the constructor, VAE(..., objective=...), because Keras "
                f"does not track layers that are added to a built model. Received: objective={objective!r}"
            )
        self._objective = objective
        self.objective_layers = list(objective.layers)  # Keras tracks, trains and saves them
        self.running_means = RunningMeans(objective.metric_names)

    @property
    def network_variables(self) -> list[Any]:
        """The trainable variables of the model, except those of the layers of its objective."""
        others = {id(v) for layer in self.objective.layers for v in layer.trainable_variables}
        return [v for v in self.trainable_variables if id(v) not in others]

    @property
    def scheduled_variables(self) -> list[Any]:
        """The variables that schedules change from step to step."""
        return [self.beta, *self.execution.moving]

    def training_variables(self) -> list[Any]:
        """Returns all state of training: the variables of the model and of its optimizers."""
        self.build_optimizer()
        return [*self.variables, *self.optimizer.variables]

    def build_optimizer(self) -> None:
        """Creates the variables of the optimizers if they do not exist yet."""
        if self.optimizer is None or self.optimizer.built:
            return
        variables = self.objective.variables(self)
        with self.distribute_strategy.scope():
            # A group is built with variables by name, a single optimizer with a list.
            self.optimizer.build(variables if len(variables) > 1 else list(*variables.values()))

    def next_seed(self) -> Tensor:
        """Draws the seed of a step, an int32 tensor `[2]`."""
        return stateless_seed(self.seed_generator)

    def loss_of(
        self, values: Tensor, sample_weight: Tensor | None = None, variables: Sequence[Any] | None = None
    ) -> Tensor:
        """Returns what an update minimises: the mean loss over the examples plus the terms of regularisers.

        Args:
            values: The loss of each example `[B]`.
            sample_weight: Weights `[B]`.
            variables: The variables that the update trains. None is all variables of the model.
        """
        if sample_weight is not None:
            values = values * tf.cast(sample_weight, values.dtype)
        terms = (tf.cast(term, values.dtype) for term in self._regularization(variables))
        return tf.add_n([tf.reduce_mean(values), *terms])

    def _regularization(self, variables: Sequence[Any] | None) -> list[Tensor]:
        """Returns the regularisation terms of some variables."""
        trained = None if variables is None else {id(variable) for variable in variables}
        if trained is None or all(id(variable) in trained for variable in self.trainable_variables):
            return self.losses
        layers = [layer for layer in self._flatten_layers() if any(id(v) in trained for v in layer.trainable_variables)]
        of_calls = [term for layer in layers for term in layer._get_own_losses()]
        return of_calls + [v.regularizer(v) for v in variables or () if v.regularizer is not None]

    # For callbacks and training -----------------------------------------------------------------------------------

    @property
    def num_updates(self) -> int:
        """The number of training steps since the model was compiled, over all calls of `fit`."""
        return optimizer_state.num_updates(self)

    @num_updates.setter
    def num_updates(self, value: int) -> None:
        self.optimizer.iterations.assign(value)

    @property
    def learning_rate(self) -> float:
        """The learning rate of the first optimizer. `vae.learning_rate = 1e-4` sets the one of all optimizers."""
        return float(keras.ops.convert_to_numpy(self.optimizer.learning_rate))

    @learning_rate.setter
    def learning_rate(self, value: float) -> None:
        for optimizer in members_of(self.optimizer):
            optimizer.learning_rate = value

    def scale_learning_rate(self, factor: float) -> None:
        """Multiplies the learning rate of each optimizer by a factor."""
        for optimizer in members_of(self.optimizer):
            optimizer.learning_rate = factor * float(keras.ops.convert_to_numpy(optimizer.learning_rate))

    @property
    def metrics(self) -> list[keras.metrics.Metric]:
        """The running means of losses and terms. Keras resets them before each epoch."""
        return self.running_means.metrics

    def build_metrics(self) -> None:
        """Creates the metrics of all terms that the objective reports, before the first step."""
        if self.running_means.is_built:
            return
        spec = tf.TensorSpec([None, *(self.event_shape or ())], self.variable_dtype)
        shape = self.condition_shape
        of_condition = None if shape is None else tf.TensorSpec([None, *shape], self.variable_dtype)

        def losses(x: Tensor, condition: Tensor | None) -> None:
            updates = self.objective.updates(self, Batch(x, condition), training=False, seed=self.next_seed())
            names = self.objective.variables(self)
            for update in updates:
                loss = update.loss()
                self.running_means.build(reported_by(loss, tf.zeros([]), metric_name(update.name, names)))

        with self.distribute_strategy.scope():
            tf.function(losses, autograph=False).get_concrete_function(spec, of_condition)
