#!/usr/bin/env bash
# Keras 3: a function of your own that bears the name of a Keras activation is another one after saving and loading.
source "$(dirname "${BASH_SOURCE[0]}")/_stack.sh"
prepare "${TENSORFLOW_STACK[@]}"
run <<'PY'
import keras
import numpy as np

from finding import done, seen


def softplus(x):
    return keras.ops.softplus(x) + 3.0


model = keras.Sequential([keras.Input((1,)), keras.layers.Activation(softplus)])
before = float(model(np.zeros((1, 1)))[0, 0])
model.save("model.keras")
after = float(keras.models.load_model("model.keras")(np.zeros((1, 1)))[0, 0])
seen(
    f"loading is refused, for the function is not registered, or gives the same output, {before:.4f}",
    f"{after:.4f}, which is Keras' own softplus, and no warning",
    abs(before - 3.6931) < 1e-3 and abs(after - 0.6931) < 1e-3,
)
done()
PY
