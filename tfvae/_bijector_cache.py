"""Context manager that prevents the bijector cache of TFP from keeping graphs alive."""

import contextlib
from collections.abc import Iterator
from typing import Any

import tensorflow as tf
import tensorflow_probability as tfp


@contextlib.contextmanager
def released_graph() -> Iterator[None]:
    """Removes the entries of the traced graph from TFP's bijector cache, so the graph and its variables can be freed.

    TFP 0.25 has one cache for all bijectors. Its keys are weak references, but a value (a log-determinant) is a tensor
    of the same graph as its key, so an entry of a graph is never removed. Within the block, the cache works as usual.
    In eager mode, this context manager does nothing.
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
    """Whether a graph equals another one, or is the body of a loop or a branch in it."""
    while graph is not None and graph is not outer:
        graph = getattr(graph, "outer_graph", None)
    return graph is not None
