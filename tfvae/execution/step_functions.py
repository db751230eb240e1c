"""The functions that Keras calls for training and evaluation steps."""

from typing import Any

import tensorflow as tf

from tfvae.execution.replica_step import ReplicaStep, has_one_device
from tfvae.execution.replicated_steps import ReplicatedSteps
from tfvae.execution.step_loop import BatchesOf, StepLoop
from tfvae.execution.xla import supports_xla

_MAX_FUNCTIONS = 8


class StepFunctions:
    """Train and test functions of a model: a compiled loop of many steps if possible, else the functions of Keras.

    The functions of the latest fits, with other numbers of steps or other data, are cached until the model changes.

    Args:
        model: A compiled model.
    """

    def __init__(self, model: Any):
        self._model = model
        self._functions: dict[str, dict[tuple[Any, ...], Any]] = {"train": {}, "test": {}}
        self._compiled_objects: dict[str, list[Any]] = {}

    @property
    def can_loop(self) -> bool:
        """Whether steps run in loops: neither eagerly nor under a strategy."""
        with self._model.distribute_strategy.scope():
            return not self._model.run_eagerly and not tf.distribute.has_strategy()

    @property
    def can_keep_splits(self) -> bool:
        """Whether workers train on batches of a split that they keep on their device.

        Arrays are read through Keras, whose order of the examples differs from that of one process.
        """
        return not self._model.run_eagerly and has_one_device(self._model.distribute_strategy)

    def are_outdated(self, name: str) -> bool:
        """Whether an object that the functions "train" or "test" depend on was replaced after they were created."""
        before, now = self._compiled_objects.get(name), self._compiled_for()
        return before is not None and not (
            len(before) == len(now) and all(a is b for a, b in zip(before, now, strict=True))
        )

    def train(self, keras_function: Any, *, force: bool) -> Any:
        """Returns the train function for `model.execution`, or `keras_function` if steps cannot run in a loop."""
        return self._get("train", self._model.train_step, lambda execution: execution.batches, keras_function, force)

    def test(self, keras_function: Any, *, force: bool) -> Any:
        """Returns the test function for `model.execution`, or `keras_function` if steps cannot run in a loop."""
        return self._get("test", self._model.test_step, lambda execution: execution.validation, keras_function, force)

    def _compiled_for(self) -> list[Any]:
        """Returns the objects that compiled functions depend on: optimizer, parts, variables and flags of layers."""
        model = self._model
        flags = (layer.trainable for layer in model._flatten_layers())
        return [model.optimizer, *model.compiled_parts(), *model.trainable_variables, *model.variables, *flags]

    def _get(self, name: str, step: Any, batches_of: BatchesOf, keras_function: Any, force: bool) -> Any:
        batches = batches_of(self._model.execution)
        fetch = None if batches is None else batches.fetch
        made, key = self._functions[name], (self._model.execution.num_steps, fetch)
        if force or self.are_outdated(name):
            made.clear()
        self._compiled_objects[name] = self._compiled_for()
        made[key] = made.pop(key, None) or self._new(step, batches_of, keras_function)  # the last is the latest
        if len(made) > _MAX_FUNCTIONS:
            del made[next(iter(made))]
        function = made[key]
        if isinstance(function, StepLoop):
            function.restart()
        return function

    def _new(self, step: Any, batches_of: BatchesOf, keras_function: Any) -> Any:
        model = self._model
        batches = batches_of(model.execution)
        fetch = None if batches is None else batches.fetch
        jit_compile: Any = False  # XLA cannot compile the sums over processes
        if model._distribute_strategy is not None and not model.run_eagerly:
            if fetch is None:
                return ReplicatedSteps(model, step)
            loop_step: Any = ReplicaStep(model.distribute_strategy, step, fetch)
        elif not self.can_loop:
            return keras_function
        else:

            def loop_step(batch: Any, examples: Any) -> Any:
                return step(batch if fetch is None else fetch(examples, batch))

            jit_compile = model.requested_jit_compile
            if jit_compile == "auto" and not supports_xla(model):
                jit_compile = False
        return StepLoop(
            loop_step, model.execution, batches_of=batches_of, jit_compile=jit_compile, instead=keras_function
        )
