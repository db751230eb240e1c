"""Layers that are part of several networks of a model: one layer each, also in a loaded model.

Keras marks an object that it describes a second time, in both descriptions, and makes what has the same mark once. A
`Sequential` model keeps a copy of its layers' descriptions, which such a mark no longer reaches; a layer that was
described once before has the mark in each.
"""

import contextlib
from collections.abc import Iterable, Iterator

import keras
from keras.src.backend.common import global_state
from keras.src.saving.serialization_lib import ObjectSharingScope


@contextlib.contextmanager
def sharing_scope(networks: Iterable[keras.layers.Layer] = ()) -> Iterator[None]:
    """Inside, Keras describes and makes a layer once that is part of several of these networks."""
    is_open = global_state.get_global_attribute("shared_objects/id_to_obj_map") is not None  # while a file is written
    with contextlib.nullcontext() if is_open else ObjectSharingScope():
        for layer in shared_layers(networks):
            keras.saving.serialize_keras_object(layer)
        yield


def shared_layers(networks: Iterable[keras.layers.Layer]) -> list[keras.layers.Layer]:
    """The layers that are met more than once; of a shared layer's own layers none is listed."""
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
