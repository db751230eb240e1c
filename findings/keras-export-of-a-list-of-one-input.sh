#!/usr/bin/env bash
# Keras 3: keras.Model(encoder.inputs, ...) exports a signature that takes a list, though the model takes a tensor.
source "$(dirname "${BASH_SOURCE[0]}")/_stack.sh"
prepare "${TENSORFLOW_STACK[@]}"
run <<'PY'
import keras
import numpy as np
import tensorflow as tf

from finding import done, seen

encoder = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2)])
x = np.zeros((1, 3), "float32")
for name, inputs in (("inputs[0]", encoder.inputs[0]), ("inputs", encoder.inputs)):
    model = keras.Model(inputs, encoder.outputs[0])
    model(x)
    folder = "list" if name == "inputs" else "tensor"
    model.export(folder, verbose=False)
    loaded = tf.saved_model.load(folder)
    try:
        loaded.serve(x)
        found = "takes the tensor"
    except (TypeError, ValueError) as error:
        found = f"{type(error).__name__}; it takes a list: {loaded.serve([x]).shape}"
    seen(
        f"Model(encoder.{name}, ...) is exported with an endpoint that takes a tensor, as the model does",
        found,
        ("list" in found) == (name == "inputs"),
    )
done()
PY
