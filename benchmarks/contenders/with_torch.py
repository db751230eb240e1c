"""PyTorch: a loop over shuffled batches, eager or through `torch.compile`."""

import itertools
import math

import torch
from torch import nn


def _networks(work):
    if work.hidden:
        networks = []
        for shapes in work.dense_shapes:
            layers = itertools.chain.from_iterable((nn.Linear(*shape), nn.Tanh()) for shape in shapes)
            networks.append(nn.Sequential(*list(layers)[:-1]))
        return networks
    d = work.latent_size
    encoder = nn.Sequential(
        nn.Conv2d(1, 32, 4, 2, 1),
        nn.ReLU(),
        nn.Conv2d(32, 64, 4, 2, 1),
        nn.ReLU(),
        nn.Flatten(),
        nn.Linear(3136, 2 * d),
    )
    decoder = nn.Sequential(
        *(nn.Linear(d, 3136), nn.ReLU(), nn.Unflatten(-1, (64, 7, 7))),
        *(nn.ConvTranspose2d(64, 32, 4, 2, 1), nn.ReLU(), nn.ConvTranspose2d(32, 32, 4, 2, 1), nn.ReLU()),
        *(nn.Conv2d(32, 1, 3, 1, 1), nn.Flatten()),
    )
    return encoder, decoder


def _loop(x, work, compiles):
    torch.manual_seed(0)
    encoder, decoder = _networks(work)
    images = torch.from_numpy(x)
    if not work.hidden:
        images = images.permute(0, 3, 1, 2).contiguous()
    variables = [*encoder.parameters(), *decoder.parameters()]
    optimizer = torch.optim.Adam(variables, 1e-3, fused=True)
    k = work.k

    def bound(x):
        loc, raw = encoder(x).chunk(2, -1)
        scale = nn.functional.softplus(raw) + 1e-5
        noise = torch.randn(k, *loc.shape)
        z = loc + scale * noise
        logits = decoder(z.flatten(0, 1)).reshape(k, len(x), 784)
        target = x.flatten(1).expand(k, -1, -1)
        log_likelihood = -nn.functional.binary_cross_entropy_with_logits(logits, target, reduction="none").sum(-1)
        if k == 1:
            kl = 0.5 * (scale**2 + loc**2 - 1.0).sum(-1) - scale.log().sum(-1)
            return (log_likelihood - kl).mean()
        log_w = log_likelihood + 0.5 * (noise**2 - z**2).sum(-1) + scale.log().sum(-1)
        return log_w.logsumexp(0).mean() - math.log(k)

    chosen = torch.compile(bound) if compiles else bound
    steps, size = len(x) // work.batch_size, work.batch_size

    def run(epochs):
        for _ in range(epochs):
            order = torch.randperm(len(images))
            total = torch.zeros(())
            for i in range(steps):
                value = chosen(images[order[i * size : (i + 1) * size]])
                optimizer.zero_grad(set_to_none=True)
                (-value).backward()
                optimizer.step()
                total += value.detach()
        return float(total) / steps

    return run


def eager(x, work):
    """As PyTorch comes."""
    return _loop(x, work, compiles=False)


def compiled(x, work):
    """The bound through `torch.compile`."""
    return _loop(x, work, compiles=True)
