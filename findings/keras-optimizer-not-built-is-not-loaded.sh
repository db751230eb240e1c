#!/usr/bin/env bash
# Keras 3: an optimizer that is not built when its model is loaded starts anew; a warning says so, no error.
source "$(dirname "${BASH_SOURCE[0]}")/_stack.sh"
prepare "${TENSORFLOW_STACK[@]}"
run <<'PY'
import warnings

import keras
import numpy as np

from finding import done, seen


@keras.saving.register_keras_serializable()
class TwoOptimizers(keras.Model):
    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.dense = keras.layers.Dense(1)
        self.second = keras.optimizers.Adam()

    def build(self, input_shape):
        self.dense.build(input_shape)
        self.built = True

    def call(self, x):
        return self.dense(x)


model = TwoOptimizers()
model.build((None, 2))
model.second.build(model.trainable_variables)
model.second.apply([np.ones((2, 1)), np.ones(1)], model.trainable_variables)
model.save("model.keras")
with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always")
    loaded = keras.models.load_model("model.keras")
steps = int(loaded.second.iterations)
said = [str(w.message).splitlines()[0][:110] for w in caught if "optimizer" in str(w.message)]
seen(
    f"a loaded model's second optimizer has made {int(model.second.iterations)} step, or loading fails",
    f"{steps} steps, {len(loaded.second.variables)} of {len(model.second.variables)} variables; warnings: {said}",
    steps == 0,
)
done()
PY
