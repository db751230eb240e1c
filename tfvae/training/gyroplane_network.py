"""Networks of models with hyperbolic latents, from the settings of a run."""

from collections.abc import Sequence

import keras

from tfvae import networks


def gyroplane_mlp(
    output_size: int, hidden: Sequence[int] = (500,), activation: str = "relu", *, name: str | None = None
) -> keras.Sequential:
    """Creates fully connected networks whose decoder begins with distances to hyperplanes of the Poincare ball.

    For the posteriors poincare_normal and riemannian_normal. With other networks, the decoder of such a run begins with
    the logarithm map at the origin.

    Args:
        output_size: Number of outputs of the encoder.
        hidden: Number of units of each hidden layer. The last one of the encoder is the number of hyperplanes.
        activation: Activation of the hidden layers.
        name: Name of the encoder.

    References:
        Mathieu, Le Lan, Maddison, Tomioka & Teh, Continuous Hierarchical Representations with Poincare Variational
        Auto-Encoders, 2019, arXiv 1901.06033, section 3 (gyroplane layer).
    """
    return networks.mlp(output_size, hidden, activation, name=name)
