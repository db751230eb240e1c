#!/usr/bin/env bash
# Keras 3: Lambda(keras.ops.exp) saves without complaint and cannot be loaded.
source "$(dirname "${BASH_SOURCE[0]}")/_stack.sh"
prepare "${TENSORFLOW_STACK[@]}"
run <<'PY'
import keras
import numpy as np

from finding import done, seen

model = keras.Sequential([keras.Input((1,)), keras.layers.Lambda(keras.ops.exp)])
model(np.zeros((1, 1)))
model.save("model.keras")
try:
    keras.models.load_model("model.keras")
    error = None
except (TypeError, ValueError) as caught:
    error = f"{type(caught).__name__}: {str(caught).splitlines()[0][:110]}"
seen("a file that was written without complaint is read, since keras.ops.exp is Keras' own", error, error is not None)
done()
PY
