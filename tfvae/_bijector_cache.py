"""TFP's cache of what bijectors have computed, kept from holding on to graphs."""

import contextlib
from collections.abc import Iterator
from typing import Any

import tensorflow as tf
import tensorflow_probability as tfp


@contextlib.contextmanager
def released_graph() -> Iterator[None]:
    """Wraps what is traced into a graph, so that the graph, and the variables it reads, can be freed with its function.

    TFP 0.25 keeps one cache for all bijectors. Its keys are weak, but a value (a log-determinant) is a tensor of the
    same graph as its key, so that an entry made in a graph never ends. Within the block, the cache works as usual.
    Without a graph, this does nothing.
    """
    if tf.executing_eagerly():
        yield
        return
    graph = tf.compat.v1.get_default_graph()
    try:
        yield
    finally:
        storage = tfp.bijectors.Bijector._cache.storage
        for key in list(storage):
            if any(_is_within(getattr(reference(), "graph", None), graph) for reference in key.ref_set):
                key.cancel()
                storage.pop(key, None)


def _is_within(graph: Any, outer: Any) -> bool:
    """Whether a graph is another one, or the body of a loop or a branch in it."""
    while graph is not None and graph is not outer:
        graph = getattr(graph, "outer_graph", None)
    return graph is not None
