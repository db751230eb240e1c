"""JAX: an epoch in one `lax.scan` (convolutions: a compiled step a batch), Adam written out."""

import functools
import math

import jax
import numpy as np
from jax import lax
from jax import numpy as jnp

_CONV = ("NHWC", "HWIO", "NHWC")


def _weights(work, rng):
    def made(*shape):
        limit = math.sqrt(6.0 / (math.prod(shape[:-2]) * (shape[-2] + shape[-1])))
        return jnp.asarray(rng.uniform(-limit, limit, shape), jnp.float32), jnp.zeros(shape[-1])

    if work.hidden:
        return [[made(*shape) for shape in network] for network in work.dense_shapes]
    d = work.latent_size
    return [
        [made(4, 4, 1, 32), made(4, 4, 32, 64), made(3136, 2 * d)],
        [made(d, 3136), made(4, 4, 64, 32), made(4, 4, 32, 32), made(3, 3, 32, 1)],
    ]


def _dense(layers, x):
    for i, (weight, bias) in enumerate(layers):
        x = x @ weight + bias
        x = jnp.tanh(x) if i + 1 < len(layers) else x
    return x


def _encoder(work, layers, x):
    if work.hidden:
        return _dense(layers, x)
    for weight, bias in layers[:2]:
        x = jax.nn.relu(lax.conv_general_dilated(x, weight, (2, 2), "SAME", dimension_numbers=_CONV) + bias)
    return x.reshape(len(x), -1) @ layers[2][0] + layers[2][1]


def _decoder(work, layers, z):
    if work.hidden:
        return _dense(layers, z)
    x = jax.nn.relu(z.reshape(-1, z.shape[-1]) @ layers[0][0] + layers[0][1]).reshape(-1, 7, 7, 64)
    for weight, bias in layers[1:3]:
        x = jax.nn.relu(lax.conv_transpose(x, weight, (2, 2), "SAME", dimension_numbers=_CONV) + bias)
    x = lax.conv_general_dilated(x, layers[3][0], (1, 1), "SAME", dimension_numbers=_CONV) + layers[3][1]
    return x.reshape(*z.shape[:-1], 784)


def _loss(work, weights, x, key):
    loc, raw = jnp.split(_encoder(work, weights[0], x), 2, -1)
    scale = jax.nn.softplus(raw) + 1e-5
    noise = jax.random.normal(key, (work.k, *loc.shape))
    z = loc + scale * noise
    logits = _decoder(work, weights[1], z)
    x = x.reshape(len(x), 784)
    log_likelihood = -(jax.nn.relu(logits) - logits * x + jnp.log1p(jnp.exp(-jnp.abs(logits)))).sum(-1)
    if work.k == 1:
        kl = 0.5 * (scale**2 + loc**2 - 1.0).sum(-1) - jnp.log(scale).sum(-1)
        return -(log_likelihood - kl).mean()
    log_w = log_likelihood + 0.5 * (noise**2 - z**2).sum(-1) + jnp.log(scale).sum(-1)
    return math.log(work.k) - jax.scipy.special.logsumexp(log_w, 0).mean()


def _adam(weights, gradients, first, second, step):
    def moved(weight, m, v):
        return weight - 1e-3 * (m / (1 - 0.9**step)) / (jnp.sqrt(v / (1 - 0.999**step)) + 1e-7)

    first = jax.tree.map(lambda m, g: 0.9 * m + 0.1 * g, first, gradients)
    second = jax.tree.map(lambda v, g: 0.999 * v + 0.001 * g**2, second, gradients)
    return jax.tree.map(moved, weights, first, second), first, second


def scan(x, work):
    """The data on the device, one call an epoch."""
    rng = np.random.default_rng(0)
    weights = _weights(work, rng)
    images, steps, size = jnp.asarray(x), len(x) // work.batch_size, work.batch_size
    zeros = jax.tree.map(jnp.zeros_like, weights)

    def step(state, given):
        weights, first, second, count = state
        rows, key = given
        loss, gradients = jax.value_and_grad(functools.partial(_loss, work))(weights, images[rows], key)
        return (*_adam(weights, gradients, first, second, count + 1.0), count + 1.0), -loss

    one = jax.jit(step, donate_argnums=0)

    @functools.partial(jax.jit, donate_argnums=0)
    def scanned(state, order, keys):
        return lax.scan(step, state, (order, keys))

    def one_by_one(state, order, keys):
        bounds = []
        for given in zip(order, keys, strict=True):
            state, bound = one(state, given)
            bounds.append(bound)
        return state, jnp.stack(bounds)

    # Inside a loop XLA runs convolutions unoptimised on a CPU.
    epoch = scanned if work.hidden else one_by_one

    state, keys = [(weights, zeros, jax.tree.map(jnp.zeros_like, weights), 0.0)], iter(range(2**31))

    def run(epochs):
        for _ in range(epochs):
            order = rng.permutation(len(x))[: steps * size].reshape(steps, size)
            state[0], bounds = epoch(state[0], jnp.asarray(order), jax.random.split(jax.random.key(next(keys)), steps))
        return float(bounds.mean())

    return run
