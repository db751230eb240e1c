#!/usr/bin/env bash
# Keras 3: a model whose two sub-models share a layer is saved without a word, and its file cannot be loaded.
source "$(dirname "${BASH_SOURCE[0]}")/_stack.sh"
prepare "${TENSORFLOW_STACK[@]}"
run <<'PY'
import keras

from finding import done, seen


def model_of(part_with):
    """A model that applies one Dense layer to each of two inputs; `part_with` makes a part from the layer."""
    shared = keras.layers.Dense(3)
    parts = [part_with(shared), part_with(shared)]
    inputs = [keras.Input((4,)), keras.Input((4,))]
    return keras.Model(inputs, keras.layers.Add()([part(x) for part, x in zip(parts, inputs)]))


def functional(layer):
    x = keras.Input((4,))
    return keras.Model(x, layer(x))


PARTS = {
    "the layer itself": lambda layer: layer,
    "functional sub-models": functional,
    "Sequential sub-models": lambda layer: keras.Sequential([keras.Input((4,)), layer]),
}
loads = {}
for name, part_with in PARTS.items():
    model_of(part_with).save("model.keras")
    try:
        loads[name] = len(keras.saving.load_model("model.keras").weights) == 2
    except ValueError:
        loads[name] = False
seen(
    "what was saved can be loaded, with one kernel and one bias, however the shared layer is wrapped",
    f"can be loaded: {loads}",
    loads == {"the layer itself": True, "functional sub-models": False, "Sequential sub-models": False},
)
done()
PY
