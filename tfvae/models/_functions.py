"""The functions that Keras calls for steps of training and of evaluation."""

from typing import Any

import tensorflow as tf

from tfvae.models._distributed import DistributedSteps
from tfvae.models._loop import StepLoop


class Functions:
    """Train and test functions of a model: a loop of many steps in one program where that can be, else Keras' own.

    Those of earlier fits, of other numbers of steps or other data, are kept and not compiled again.

    Args:
        model: as `model.compile` made it.
    """

    def __init__(self, model: Any):
        self._model = model
        self._made: dict[tuple[Any, ...], Any] = {}

    @property
    def can_loop(self) -> bool:
        """Whether steps run in loops: not eagerly, nor under a strategy."""
        with self._model.distribute_strategy.scope():
            return not self._model.run_eagerly and not tf.distribute.has_strategy()

    def train(self, keras_function: Any, *, force: bool) -> Any:
        """The train function for `model.execution`; `keras_function` where there is nothing better."""
        rows = self._model.execution.rows
        fetch = None if rows is None else rows.fetch
        return self._get("train", self._model.train_step, fetch, keras_function, force)

    def test(self, keras_function: Any, *, force: bool) -> Any:
        """The test function for `model.execution`; `keras_function` where there is nothing better."""
        return self._get("test", self._model.test_step, None, keras_function, force)

    def _get(self, name: str, step: Any, fetch: Any, keras_function: Any, force: bool) -> Any:
        key = name, self._model.execution.num_steps, fetch
        if key not in self._made or force:
            self._made[key] = self._new(step, fetch, keras_function)
        function = self._made[key]
        if isinstance(function, StepLoop):
            function.restart()
        return function

    def _new(self, step: Any, fetch: Any, keras_function: Any) -> Any:
        model = self._model
        if model._distribute_strategy is not None and not model.run_eagerly:
            return DistributedSteps(model, step)
        if not self.can_loop:
            return keras_function
        jit_compile = model.asked_jit_compile
        if jit_compile == "auto" and not all(layer.supports_jit for layer in model._flatten_layers()):
            jit_compile = False
        return StepLoop(
            step, model.execution, beta=model.beta, fetch=fetch, jit_compile=jit_compile, instead=keras_function
        )
