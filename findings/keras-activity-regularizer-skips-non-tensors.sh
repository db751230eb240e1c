#!/usr/bin/env bash
# Keras 3: activity_regularizer is skipped, without a word, where a layer returns something that is not a tensor.
source "$(dirname "${BASH_SOURCE[0]}")/_stack.sh"
prepare "${TENSORFLOW_STACK[@]}"
run <<'PY'
import keras
import tensorflow as tf
import tensorflow_probability as tfp

from finding import done, seen


class MakesNormal(keras.layers.Layer):
    def call(self, inputs):
        return tfp.distributions.Normal(inputs, 1.0)


class MakesTensor(keras.layers.Layer):
    def call(self, inputs):
        return inputs


for layer_class, num_losses in ((MakesTensor, 1), (MakesNormal, 0)):
    layer = layer_class(activity_regularizer=lambda output: tf.constant(1.0))
    layer(tf.zeros([3, 2]))
    seen(
        f"{layer_class.__name__} with an activity_regularizer has one loss after a call, or an error says why not",
        f"{len(layer.losses)} losses",
        len(layer.losses) == num_losses,
    )
done()
PY
