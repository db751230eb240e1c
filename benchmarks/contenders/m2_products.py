"""No M2: the matrix products of its training step by themselves, the limit of what any program can reach."""

from contenders.products import loop_of


def fit(x, labels, work):
    """In a loop of TensorFlow's own runtime."""
    batch, draws, hidden = work.batch_size, work.batch_size * work.num_classes, work.hidden
    of_images = [(batch, 784, hidden), (batch, 784, hidden)]
    others = [
        (batch, hidden, work.num_classes),
        (draws, hidden, 2 * work.latent_size),
        (draws, work.latent_size + work.num_classes, hidden),
        (draws, hidden, 784),
    ]
    return loop_of([*of_images, *others], len(x) // batch, num_inputs=2, jit_compile=False)
