"""What the page asks the server: numbers as little-endian float32, descriptions as JSON, mistakes as one sentence."""

import math

import numpy as np
import orjson
from fastapi import APIRouter, Request
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import JSONResponse, Response

from tfvae.serving.explore.explored_model import ExploredModel
from tfvae.serving.refusal import RefusedRequest

# As many pictures as the background of the largest map has.
MOST_DECODED = 512
MOST_DRAWN = 64
_LARGEST_SEED = 2**31 - 1
_FLOAT = np.dtype("<f4")


def explore_api(explored: ExploredModel) -> APIRouter:
    """The routes under `/explore/api` for one model.

    | route | in | out |
    | --- | --- | --- |
    | `GET model` | | what there is to explore, JSON; null for a number that is not finite |
    | `GET points` | | float32 `[N, D]`, then int32 `[N]`: E[z|x] and classes of the examples |
    | `GET example/I` | | float32 `[2, *event]`: an example and its reconstruction |
    | `POST decode` | float32 `[n, D]`, n to 512 | float32 `[n, *event]`: means of p(x|z) |
    | `POST encode?seed=0` | float32 `[*event]` | JSON: `loc`, `scale`, `elbo`, `log_likelihood`, `kl`, `bits_per_dim` |
    | `GET prior?num=24&seed=0` | | float32 `[n, D]`, then `[n, *event]`: z ~ p(z) and their means |
    """
    router = APIRouter(prefix="/explore/api", include_in_schema=False)
    latent_size, event_size = explored.latent_size, math.prod(explored.event_shape)
    # orjson writes what is not finite as null; such are the moments of a Cauchy prior.
    model, points = orjson.dumps(explored.describe()), explored.points()

    @router.get("/model")
    async def describe() -> Response:
        return Response(model, media_type="application/json")

    @router.get("/points")
    async def lay_out() -> Response:
        return _binary(points)

    @router.get("/example/{index}")
    async def show(index: str) -> Response:
        number = _whole_number(index, "The example", 0, len(explored) - 1, status=404)
        return _floats(await run_in_threadpool(explored.example, number))

    @router.post("/decode")
    async def decode(request: Request) -> Response:
        z = await _floats_of(request, latent_size, MOST_DECODED, "z")
        return _floats(await run_in_threadpool(explored.decode, z.reshape(-1, latent_size)))

    @router.post("/encode")
    async def encode(request: Request) -> Response:
        seed = _whole_number(request.query_params.get("seed", "0"), "seed", 0, _LARGEST_SEED)
        x = (await _floats_of(request, event_size, 1, "x")).reshape(explored.event_shape)
        try:
            encoded = await run_in_threadpool(explored.encode, x, seed)
        except ValueError as error:
            raise RefusedRequest(400, str(error)) from error
        found = encoded._asdict()
        if not np.isfinite(np.concatenate([np.ravel(value) for value in found.values()])).all():
            raise RefusedRequest(422, "The model's bound for this x is not finite: x lies too far from its data.")
        return JSONResponse(found)

    @router.get("/prior")
    async def draw(request: Request) -> Response:
        num = _whole_number(request.query_params.get("num", "24"), "num", 1, MOST_DRAWN)
        seed = _whole_number(request.query_params.get("seed", "0"), "seed", 0, _LARGEST_SEED)
        return _floats(*await run_in_threadpool(explored.draw, num, seed))

    return router


async def _floats_of(request: Request, row_size: int, most_rows: int, name: str) -> np.ndarray:
    """The body as finite float32, a whole number of rows of it."""
    row_bytes = _FLOAT.itemsize * row_size
    body = bytearray()
    async for part in request.stream():
        body += part
        if len(body) > most_rows * row_bytes:
            raise RefusedRequest(
                413, f"The body holds at most {most_rows} {name} of {row_size} float32 numbers; it is longer."
            )
    if not body or len(body) % row_bytes:
        raise RefusedRequest(
            400,
            f"The body holds float32 numbers, {row_size} for each {name} ({row_bytes} bytes); received {len(body)} "
            "bytes.",
        )
    values = np.frombuffer(bytes(body), _FLOAT).astype(np.float32)
    if not np.isfinite(values).all():
        raise RefusedRequest(400, f"{name} holds finite numbers only; received NaN or infinity.")
    return values


def _whole_number(text: str, name: str, low: int, high: int, *, status: int = 400) -> int:
    # Not int() alone: it takes "1_0" and numbers of a million digits.
    if not (text.isascii() and text.isdigit() and len(text) <= 10 and low <= int(text) <= high):
        raise RefusedRequest(status, f"{name} is a whole number from {low} to {high}; received {text[:40]!r}.")
    return int(text)


def _floats(*arrays: np.ndarray) -> Response:
    if not all(np.isfinite(array).all() for array in arrays):
        raise RefusedRequest(422, "The decoder's answer is not finite: z lies too far from the prior.")
    return _binary(b"".join(array.astype(_FLOAT).tobytes() for array in arrays))


def _binary(content: bytes) -> Response:
    return Response(content, media_type="application/octet-stream", headers={"Cache-Control": "no-store"})
