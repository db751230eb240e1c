"""Check that Keras uses TensorFlow. Every package that uses Keras imports this module first."""

import keras

if keras.backend.backend() != "tensorflow":
    raise ImportError(
        "tfvae requires the TensorFlow backend of Keras. Set the environment variable KERAS_BACKEND=tensorflow before "
        f"Keras is first imported. Received: backend={keras.backend.backend()!r}"
    )
