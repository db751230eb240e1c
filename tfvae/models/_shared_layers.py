"""Layers that several networks of a model share, and that a loaded model shares too.

When Keras serialises an object for the second time, it marks both descriptions, and it creates objects with the same
mark only once. A `Sequential` model keeps copies of the descriptions of its layers, which do not get the mark. If a
layer has been serialised once before, all its descriptions have the mark.
"""

import contextlib
from collections.abc import Iterable, Iterator

import keras
from keras.src.backend.common import global_state
from keras.src.saving.serialization_lib import ObjectSharingScope


@contextlib.contextmanager
def sharing_scope(networks: Iterable[keras.layers.Layer] = ()) -> Iterator[None]:
    """Makes Keras serialise and create each layer once that is part of several of these networks."""
    is_open = global_state.get_global_attribute("shared_objects/id_to_obj_map") is not None  # while a file is written
    with contextlib.nullcontext() if is_open else ObjectSharingScope():
        for layer in shared_layers(networks):
            keras.saving.serialize_keras_object(layer)
        yield


def shared_layers(networks: Iterable[keras.layers.Layer]) -> list[keras.layers.Layer]:
    """Returns the layers that occur more than once, without the inner layers of a shared layer."""
    seen: set[int] = set()
    shared: dict[int, keras.layers.Layer] = {}

    def visit(layer: keras.layers.Layer) -> None:
        if id(layer) in seen:
            shared[id(layer)] = layer
            return
        seen.add(id(layer))
        for inner in getattr(layer, "_layers", []):
            visit(inner)

    for network in networks:
        visit(network)
    return list(shared.values())
