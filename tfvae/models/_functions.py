"""The functions that Keras calls for steps of training and of evaluation."""

from typing import Any

import tensorflow as tf

from tfvae.models._distributed import DistributedSteps
from tfvae.models._loop import StepLoop

_MOST_KEPT = 8


class Functions:
    """Train and test functions of a model: a loop of many steps in one program where that can be, else Keras' own.

    Those of the latest fits, of other numbers of steps or other data, are kept and not compiled again, as long as the
    model is the one that they were made for.

    Args:
        model: as `model.compile` made it.
    """

    def __init__(self, model: Any):
        self._model = model
        self._made: dict[str, dict[tuple[Any, ...], Any]] = {"train": {}, "test": {}}
        self._made_for: dict[str, list[Any]] = {}

    @property
    def can_loop(self) -> bool:
        """Whether steps run in loops: not eagerly, nor under a strategy."""
        with self._model.distribute_strategy.scope():
            return not self._model.run_eagerly and not tf.distribute.has_strategy()

    def are_of_another_model(self, name: str) -> bool:
        """Whether functions "train" or "test" were made before something changed that a program is compiled for."""
        made_for, now = self._made_for.get(name), self._compiled_for()
        return made_for is not None and not (
            len(made_for) == len(now) and all(a is b for a, b in zip(made_for, now, strict=True))
        )

    def train(self, keras_function: Any, *, force: bool) -> Any:
        """The train function for `model.execution`; `keras_function` where there is nothing better."""
        rows = self._model.execution.rows
        fetch = None if rows is None else rows.fetch
        return self._get("train", self._model.train_step, fetch, keras_function, force)

    def test(self, keras_function: Any, *, force: bool) -> Any:
        """The test function for `model.execution`; `keras_function` where there is nothing better."""
        return self._get("test", self._model.test_step, None, keras_function, force)

    def _compiled_for(self) -> list[Any]:
        """Objects whose identity tells a program apart: what is trained, which layers train, and by what."""
        model = self._model
        flags = (layer.trainable for layer in model._flatten_layers())
        return [model.optimizer, model.estimator, *model.trainable_variables, *model.variables, *flags]

    def _get(self, name: str, step: Any, fetch: Any, keras_function: Any, force: bool) -> Any:
        made, key = self._made[name], (self._model.execution.num_steps, fetch)
        if force or self.are_of_another_model(name):
            made.clear()
        self._made_for[name] = self._compiled_for()
        made[key] = made.pop(key, None) or self._new(step, fetch, keras_function)  # the last is the latest
        if len(made) > _MOST_KEPT:
            del made[next(iter(made))]
        function = made[key]
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
