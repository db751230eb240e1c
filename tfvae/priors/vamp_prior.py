"""The variational mixture of posteriors."""

from typing import Any

import keras
import numpy as np
import tensorflow as tf
import tensorflow_probability as tfp

from tfvae._arrays import plain_array
from tfvae._checks import whole_number
from tfvae._numerics import as_float
from tfvae._serialization import register
from tfvae.layers._coercion import as_distribution
from tfvae.layers._networks import output_layer, own_kl, sublayers
from tfvae.priors.prior import Prior
from tfvae.typing import Distribution, Shape, Tensor, TensorLike

tfd = tfp.distributions

# How far `adapt` keeps from the ends of a bounded activation, as a share of its range.
_MARGIN = 0.05


@register
class VampPrior(Prior):
    """(1/K) sum_k q(z|u_k): a mixture of the encoder's own posteriors at K learned pseudo-inputs u_k.

    Give it the model's encoder, the same object: `VAE(encoder, decoder, VampPrior(encoder, 50))`. The encoder's weights
    then count once, train through both, and are one again in a loaded model. (Keras' `clone_model` of a functional
    model copies layer by layer, and so gives the copy's prior an encoder of its own.) Its KL from a posterior has no
    closed form, so `SGVB` estimates it from its draws.

    Args:
        encoder: the network from x to q(z|x); it ends in a distribution layer and carries no KL term of its own, which
            would count at the pseudo-inputs.
        num_components: K.
        input_shape: shape of one x; None takes it from the encoder, when it is built with an input of known shape.
        activation: maps the weights to pseudo-inputs. The default, None (linear), suits data of any range, and the
            bound holds wherever pseudo-inputs lie; "sigmoid" keeps them pixels in [0, 1], to be looked at.
        initializer: first values of the weights, before the activation; the default draws them from a normal of
            standard deviation 0.5. `adapt` starts from data instead.
        **kwargs: `name`, `dtype`, `trainable` of `keras.layers.Layer`.

    Raises:
        TypeError: when the encoder does not end in a distribution layer.
        ValueError: when it carries a KL term, has more than one input, or one of unknown shape.

    Numerics:
        The encoder runs in inference mode on the pseudo-inputs: the prior is one distribution, whatever a dropout draws
        or a batch has for its mean. Activity regularisers inside it count for the data alone.

    References:
        Tomczak & Welling, VAE with a VampPrior, 2018, arXiv 1705.07120, section 3.
    """

    def __init__(
        self,
        encoder: keras.layers.Layer,
        num_components: int,
        input_shape: Shape | None = None,
        activation: Any = None,
        initializer: Any = None,
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        found = own_kl(encoder)
        if found is not None:
            raise ValueError(
                "The encoder of a VampPrior carries no KL term, which would count at the pseudo-inputs too, but its "
                f"layer '{found[0].name}' has a {type(found[1]).__name__}. Take it off the encoder: a VAE adds the KL "
                "itself, and a functional keras.Model puts KLDivergenceAddLoss(VampPrior(encoder, ...)) behind it."
            )
        layer = output_layer(encoder, "encoder")
        self.encoder = encoder
        self.num_components = whole_number(num_components, "num_components")
        self._input_shape = None if input_shape is None else tuple(whole_number(n, "input_shape") for n in input_shape)
        self.activation = keras.activations.get(activation)
        self.initializer = keras.initializers.get(initializer or keras.initializers.RandomNormal(stddev=0.5))
        self._event_shape = None if layer is None else layer.event_shape
        if self._known_input_shape() is not None:
            self.build()

    def _known_input_shape(self) -> tuple[int, ...] | None:
        inputs = getattr(self.encoder, "inputs", None) or []
        if len(inputs) > 1:
            raise ValueError(f"The encoder of a VampPrior has one input. '{self.encoder.name}' has {len(inputs)}.")
        shape = self._input_shape or (tuple(inputs[0].shape[1:]) if inputs else None)
        return None if shape is None or None in shape else shape

    def build(self, input_shape: Any = None) -> None:
        shape = self._known_input_shape()
        if shape is None:
            raise ValueError(
                "VampPrior makes its pseudo-inputs in the shape of the encoder's input, which is not known: give it "
                "input_shape=(...) without the batch axis, or an encoder that begins with keras.Input((...))."
            )
        if not self.encoder.built:
            self.encoder(keras.KerasTensor((None, *shape), dtype=self.variable_dtype))
        self.pseudo_input_weights = self.add_weight(
            name="pseudo_inputs", shape=(self.num_components, *shape), initializer=self.initializer, autocast=False
        )
        if self._event_shape is None:  # of a subclassed encoder: only its call shows it
            trace = tf.function(lambda: self._posterior().event_shape_tensor(), autograph=False)
            self._event_shape = tuple(tf.get_static_value(trace.get_concrete_function().outputs[0]).tolist())
        self.built = True

    @property
    def event_shape(self) -> tuple[int, ...]:
        if self._event_shape is None:
            self.build()
        return tuple(self._event_shape or ())

    def pseudo_inputs(self) -> Tensor:
        """The pseudo-inputs u `[K, *input_shape]`."""
        return self.activation(as_float(self.pseudo_input_weights))

    def distribution(self) -> Distribution:
        if not self.built:
            self.build()
        posterior = self._posterior()
        uniform = tfd.Categorical(logits=tf.zeros([self.num_components], posterior.dtype))
        return tfd.MixtureSameFamily(uniform, posterior, name="prior")

    def _posterior(self) -> Distribution:
        """q(z|u), of batch shape `[K]`."""
        # The call clears what the encoder's layers have added to the loss for the data, or adds to it for the
        # pseudo-inputs, which nobody observed; neither is to happen.
        losses = [(layer, list(layer._losses)) for layer in sublayers(self.encoder)]
        posterior = as_distribution(self.encoder(self.pseudo_inputs(), training=False))
        for layer, before in losses:
            layer._losses[:] = before
        return posterior

    def adapt(self, data: TensorLike, *, seed: int | None = None) -> None:
        """Sets the pseudo-inputs to K examples of `data` `[N, *input_shape]`, drawn without replacement.

        Call it before training. The examples are weights then: a saved configuration holds none of them. For a bounded
        activation, values nearer to its ends than five per cent of its range are moved inside, where it has a gradient.

        Args:
            data: floating-point, such as `splits.train.x` or one batch; at least K examples.
            seed: which examples; None for fresh randomness.

        Raises:
            ValueError: for integers, too few examples or another shape, or for an activation other than None, "sigmoid"
                and "tanh", whose inverse is not known.
        """
        data = plain_array(data, "data")
        if not self.built and self._known_input_shape() is None:
            self._input_shape = data.shape[1:]
        if not self.built:
            self.build()
        shape = tuple(self.pseudo_input_weights.shape)
        if data.dtype.kind != "f" or data.shape[1:] != shape[1:] or len(data) < self.num_components:
            raise ValueError(
                f"adapt takes at least {shape[0]} floating-point examples of shape {shape[1:]}. "
                f"Received an array of shape {data.shape} and dtype {data.dtype}."
            )
        rows = np.random.default_rng(seed).choice(len(data), self.num_components, replace=False)
        self.pseudo_input_weights.assign(self._before_activation(data[rows]))

    def _before_activation(self, values: np.ndarray) -> np.ndarray:
        if self.activation is keras.activations.linear:
            return values
        if self.activation is keras.activations.sigmoid:
            values = np.clip(values, _MARGIN, 1.0 - _MARGIN)
            return np.log(values) - np.log1p(-values)
        if self.activation is keras.activations.tanh:
            return np.arctanh(np.clip(values, -1.0 + 2.0 * _MARGIN, 1.0 - 2.0 * _MARGIN))
        raise ValueError(
            "adapt knows the inverse of the activations None, 'sigmoid' and 'tanh'. "
            f"Received: {self.activation}. Set the weights with pseudo_input_weights.assign(...)."
        )

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "encoder": keras.saving.serialize_keras_object(self.encoder),
            "num_components": self.num_components,
            "input_shape": self._input_shape,
            "activation": keras.activations.serialize(self.activation),
            "initializer": keras.initializers.serialize(self.initializer),
        }

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> "VampPrior":
        encoder = config["encoder"]
        if isinstance(encoder, str):
            raise ValueError(f"This VampPrior was saved inside a VAE, with {encoder}: load the whole model.")
        if not isinstance(encoder, keras.layers.Layer):  # which it is where a VAE hands over its own
            encoder = keras.saving.deserialize_keras_object(encoder)
        return cls(**{**config, "encoder": encoder})
