"""Context in which TensorFlow traces functions for a SavedModel."""

import contextlib
from collections.abc import Iterator

import tensorflow as tf


@contextlib.contextmanager
def traced_as_saved() -> Iterator[None]:
    """Context manager whose traces `tf.saved_model.save` uses.

    TensorFlow keeps the traces for a SavedModel apart from all others, because variables on several devices are read
    in another way. Without this context it traces each function again, which takes longer than everything else about
    the export of a small model.
    """
    from tensorflow.python.saved_model import save_context  # TensorFlow has no public name for it

    with save_context.save_context(tf.saved_model.SaveOptions()):
        yield
