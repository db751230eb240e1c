"""Compiled loop of many training steps over a stack of batches."""

import logging
from collections.abc import Callable
from typing import Any

import tensorflow as tf

from tfvae._garbage import paused_collections
from tfvae.execution import kept_programs
from tfvae.execution.device_batches import DeviceBatches
from tfvae.execution.execution import Execution, Schedule
from tfvae.execution.stacked_batches import StackedBatches
from tfvae.execution.xla import cannot_compile
from tfvae.typing import Tensor

_log = logging.getLogger("tfvae")

Step = Callable[[Any, Any], dict[str, Tensor]]
BatchesOf = Callable[[Execution], DeviceBatches | StackedBatches | None]


class StepLoop:
    """Train or test function for Keras that makes many steps per call.

    Batches from an iterator or on the device are stacked `[num_steps, B, ...]`, and a compiled program loops over the
    stack. A batch of another size than the first one (the last of an epoch) is a separate step without XLA,
    because XLA would compile another program for its size.

    Args:
        step: Function from a batch and `examples` of the batches on the device, or None, to logs, a dictionary of
            scalars.
        execution: The number of steps of a call and the variables to assign in each step. It is updated by each call.
        batches_of: Function from an `Execution` to its batches on the device, which have the same `fetch` in all calls.
            None if batches come from the iterator.
        jit_compile: Whether XLA compiles the loop. "auto" uses XLA unless it is slower or impossible.
        instead: Function to call if batches cannot be stacked.

    Numerics:
        The logs are those of the last step, or of the first step with a loss that is not finite.
    """

    def __init__(
        self,
        step: Step,
        execution: Execution,
        *,
        batches_of: BatchesOf,
        jit_compile: bool | str,
        instead: Callable[[Any], dict[str, Tensor]],
    ):
        self._step = tf.function(step, autograph=False, reduce_retracing=True)
        self._batches_of = batches_of
        self._execution = execution
        self._num_steps = execution.num_steps
        self._jit_compile = jit_compile
        self._instead = instead
        self._batch_sizes: list[int] = []
        self._runs: dict[tuple[int, ...], Callable[..., Any]] = {}  # by the variables that they assign
        self._with_xla: bool | None = None
        self._empty_logs: Any = None
        self._label: str | None = None
        # No `reduce_retracing`, which would drop the ranks of elements if the data had different ranks.
        self._collect = tf.function(self._collected, autograph=False)

    @property
    def _batches(self) -> DeviceBatches | StackedBatches | None:
        return self._batches_of(self._execution)

    @property
    def _source(self) -> Tensor | None:
        return None if self._batches is None else self._batches.examples

    def restart(self) -> None:
        """Determines the batch size from the next batch."""
        self._batch_sizes = []

    def __call__(self, iterator: Any) -> dict[str, Tensor]:
        """Returns the logs. Raises StopIteration when there are no more batches."""
        if self._batches is None and not (isinstance(iterator, tf.data.Iterator) and _can_stack(iterator.element_spec)):
            return self._instead(iterator)
        execution = self._execution
        limit = self._num_steps if execution.limit is None else min(execution.limit, self._num_steps)
        schedule = execution.take_schedule()
        execution.num_made, execution.first_non_finite = 0, None
        logs: dict[str, Tensor] = {}
        while execution.num_made < limit:
            stack, count, remainder = self._take(iterator, limit - execution.num_made)
            if count:
                logs = self._run_stack(stack, count, schedule, logs)
            if remainder is not None:
                logs = self._run_single(remainder, schedule, logs)
            if not count and remainder is None:
                break
        if not execution.num_made:
            raise StopIteration
        return logs

    def _take(self, iterator: Any, limit: int) -> tuple[Any, int, Any]:
        """Returns a stack, the number of its batches, and the next batch if it has another size, else None."""
        if self._batches is not None:
            stack, count, remainder = self._batches.take(self._num_steps, limit)
            stack, remainder = tf.nest.map_structure(
                lambda leaf: None if leaf is None else tf.convert_to_tensor(leaf), (stack, remainder)
            )
            return stack, count, remainder
        sizes = self._batch_sizes or [0] * len(tf.nest.flatten(iterator.element_spec))
        stack, count, remainder = self._collect(iterator, tf.constant(sizes), tf.constant(limit))
        if count := int(count):
            self._batch_sizes = [leaf.shape[1] for leaf in tf.nest.flatten(stack)]
        return stack, count, remainder.get_value() if bool(remainder.has_value()) else None

    def _collected(self, iterator: Any, sizes: Tensor, limit: Tensor) -> tuple[Any, Tensor, Any]:
        """Returns a stack of batches of one size, padded to `num_steps`, their number, and the one of another size.

        `sizes` are those of the leaves of a batch, 0 if they are unknown.
        """
        specs = tf.nest.flatten(iterator.element_spec)
        arrays = [
            tf.TensorArray(spec.dtype, size=self._num_steps, infer_shape=False, element_shape=spec.shape)
            for spec in specs
        ]
        none = tf.experimental.Optional.empty(iterator.element_spec)

        def more(count: Tensor, going: Tensor, *_: Any) -> Tensor:
            return tf.logical_and(going, count < limit)

        def take(count: Tensor, _: Tensor, sizes: Tensor, arrays: Any, remainder: Any) -> Any:
            batch = iterator.get_next_as_optional()

            def look() -> Any:
                leaves = tf.nest.flatten(batch.get_value())
                rows = tf.stack([tf.shape(leaf)[0] for leaf in leaves])

                def keep() -> Any:
                    written = [array.write(count, leaf) for array, leaf in zip(arrays, leaves, strict=True)]
                    return count + 1, True, rows, written, remainder

                fits = tf.reduce_all(tf.logical_or(sizes == 0, rows == sizes))
                return tf.cond(fits, keep, lambda: (count, False, sizes, arrays, batch))

            return tf.cond(batch.has_value(), look, lambda: (count, False, sizes, arrays, remainder))

        start = (tf.constant(0), tf.constant(True), sizes, arrays, none)
        count, _, _, arrays, remainder = tf.while_loop(more, take, start, parallel_iterations=1)
        stacks = [self._padded(array, spec, count) for array, spec in zip(arrays, specs, strict=True)]
        return tf.nest.pack_sequence_as(iterator.element_spec, stacks), count, remainder

    def _padded(self, array: Any, spec: Any, count: Tensor) -> Tensor:
        def some() -> Tensor:
            stack = array.gather(tf.range(count))
            return tf.pad(stack, [[0, self._num_steps - count], *[[0, 0]] * spec.shape.rank])

        # Without any batch the stack cannot be built, because the batch size is unknown.
        nothing = [self._num_steps, spec.shape[0] or 0, *spec.shape[1:]]
        cases = [(tf.equal(count, 0), lambda: tf.zeros(nothing, spec.dtype)), (count < self._num_steps, some)]
        stack = tf.case(cases, default=array.stack)
        return tf.ensure_shape(stack, [self._num_steps, *spec.shape])

    def _run_stack(self, stack: Any, count: int, schedule: Schedule, logs: dict[str, Tensor]) -> dict[str, Tensor]:
        """Makes steps with the first `count` batches of a stack."""
        if self._empty_logs is None:
            with paused_collections():
                self._prepare(stack)
        values = schedule.stacked(self._execution.num_made, self._num_steps)
        arguments = stack, tf.constant(count), values, self._empty_logs, self._source
        try:
            new, bad = self._call_program(schedule, arguments)
        except (tf.errors.InvalidArgumentError, tf.errors.UnimplementedError) as error:
            if self._jit_compile != "auto" or not cannot_compile(error):
                raise
            self._choose(False, f"XLA cannot compile this model: {str(error).splitlines()[0]}")
            new, bad = self._call_program(schedule, arguments)
        return self._record(count, new, logs, int(bad))

    def _call_program(self, schedule: Schedule, arguments: Any) -> tuple[dict[str, Tensor], Tensor]:
        """Calls the compiled loop that assigns the variables of a schedule. The first call compiles it."""
        if schedule.key in self._runs:
            return self._runs[schedule.key](*arguments)
        with paused_collections():
            label = self._label if self._with_xla else None
            program, result = kept_programs.called(lambda: self._new_program(schedule), arguments, label)
        self._runs[schedule.key] = program
        return result

    def _run_single(self, batch: Any, schedule: Schedule, logs: dict[str, Tensor]) -> dict[str, Tensor]:
        """Makes one step."""
        schedule.assign(schedule.values, self._execution.num_made)
        new = self._step(batch, self._source)
        return self._record(1, new, logs, 1 if bool(all_finite(new)) else 0)

    def _record(self, count: int, new: dict[str, Tensor], logs: dict[str, Tensor], bad: int) -> dict[str, Tensor]:
        """Counts steps, of which step `bad` is the first that was not finite, and returns the logs to report."""
        execution = self._execution
        if execution.first_non_finite is None:
            logs = new
            execution.first_non_finite = execution.num_made + bad if bad < count else None
        execution.num_made += count
        return logs

    def _prepare(self, stack: Any) -> None:
        batch = tf.nest.map_structure(lambda leaf: tf.TensorSpec(leaf.shape[1:], leaf.dtype), stack)
        traced = self._step.get_concrete_function(batch, self._source)
        self._empty_logs = tf.nest.map_structure(lambda log: tf.zeros(log.shape, log.dtype), traced.structured_outputs)
        self._label = kept_programs.label_of(traced.graph, stack)
        if self._jit_compile != "auto":
            self._choose(bool(self._jit_compile), "as requested")
        elif _has_convolutions(traced) and not tf.config.list_logical_devices("GPU"):
            self._choose(False, "a loop of convolutions is slow with XLA on a CPU")
        else:
            self._choose(True, "the faster choice")

    def _choose(self, with_xla: bool, reason: str) -> None:
        _log.info("Steps run %s XLA: %s.", "with" if with_xla else "without", reason)
        self._with_xla = with_xla
        self._runs.clear()

    def _new_program(self, schedule: Schedule) -> Callable[..., Any]:
        """Returns a loop that assigns the variables of a schedule before each step."""

        def run(
            stack: Any, count: Tensor, values: list[Tensor], logs: Any, source: Tensor | None
        ) -> tuple[dict[str, Tensor], Tensor]:
            def body(i: Tensor, logs: Any, bad: Tensor) -> Any:
                schedule.assign(values, i)
                new = self._step(tf.nest.map_structure(lambda leaf: leaf[i], stack), source)
                was_finite = bad == count
                logs = tf.nest.map_structure(lambda a, b: tf.where(was_finite, a, b), new, logs)
                return i + 1, logs, tf.where(tf.logical_and(was_finite, ~all_finite(new)), i, bad)

            start = (tf.constant(0), logs, count)
            return tf.while_loop(lambda i, *_: i < count, body, start, parallel_iterations=1)[1:]

        return tf.function(run, autograph=False, jit_compile=self._with_xla)


def _can_stack(element_spec: Any) -> bool:
    """Whether batches are dense tensors that differ only in the size of their first axis."""
    return all(
        isinstance(spec, tf.TensorSpec) and spec.shape.rank and spec.shape[1:].is_fully_defined()
        for spec in tf.nest.flatten(element_spec)
    )


def all_finite(logs: dict[str, Tensor]) -> Tensor:
    """Whether all logs of a step are finite, a scalar tensor."""
    return tf.reduce_all([tf.math.is_finite(tf.cast(log, tf.float32)) for log in tf.nest.flatten(logs)])


def _has_convolutions(traced: Any) -> bool:
    graph = traced.graph.as_graph_def()
    nodes = [*graph.node, *(node for function in graph.library.function for node in function.node_def)]
    return any("Conv2D" in node.op or "Conv3D" in node.op or "DepthwiseConv" in node.op for node in nodes)
