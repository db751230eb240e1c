"""HTTP API of the explore page: arrays as little-endian float32, descriptions and errors as JSON."""

import asyncio
import math
from collections.abc import Callable
from typing import Any

import numpy as np
import orjson
from fastapi import APIRouter, Request
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import JSONResponse, Response

from tfvae.serving.explore.explored_model import ExploredModel
from tfvae.serving.refusal import RefusedRequest

# The background of the largest map has this many pictures.
MAX_DECODED = 512
MAX_SAMPLES = 64
_LARGEST_SEED = 2**31 - 1
_FLOAT = np.dtype("<f4")
_JSON = "application/json"


def explore_api(explored: ExploredModel) -> APIRouter:
    """Creates the routes under `/explore/api` for one model.

    | route | request body | response |
    | --- | --- | --- |
    | `GET model` | | JSON description of the model and its examples; numbers that are not finite are null |
    | `GET points` | | float32 `[N, D]`, then int32 `[N]`: E[z|x] and class of each example; then its choice |
    | `GET example/I` | | float32 `[2, *event]`: example I, and the mean of p(x|z) at its E[z|x] |
    | `POST decode` | float32 `[n, D]`, n <= 512 | float32 `[n, *event]`: means of p(x|z) |
    | `GET elbo` | | JSON: quantiles of the ELBO of the examples |
    | `POST encode?seed=0` | float32 `[*event]` | JSON: the fields of `Encoded` |
    | `POST log_marginal?seed=0` | float32 `[*event]` | JSON: `log_marginal`, an estimate of log p(x) |
    | `GET prior?num=24&seed=0` | | float32 `[n, D]`, then `[n, *event]`: draws z ~ p(z) and means of p(x|z) |
    | `POST row` | float32 `[1, D]` | JSON: the decoded row of a table, its spread, and the nearest training row |
    | `POST columns?seed=0` | float32 `[*event]` | JSON: how probable and how usual each column of a row is |

    `elbo`, `encode` and `log_marginal` wait until the model itself is loaded, and fail with status 503 if it cannot be.
    `row` and `columns` are for the rows of a table. A row may have NaN at missing values if examples have missing
    values. Decoded rows have medians and the most probable categories in the place of means.

    For a model with a condition or a label, `decode`, `encode`, `log_marginal` and `prior` take the query `choice`: the
    index of a class or of an example, or numbers separated by commas (`Choices.read`). `choice` of the model describes
    it.
    """
    router = APIRouter(prefix="/explore/api", include_in_schema=False)
    latent_size, event_size = explored.latent_size, math.prod(explored.event_shape)
    # orjson writes numbers that are not finite as null, for example the moments of a Cauchy prior.
    model, points = orjson.dumps(explored.describe()), explored.points()

    @router.get("/model")
    async def get_model() -> Response:
        return Response(model, media_type=_JSON)

    @router.get("/points")
    async def get_points() -> Response:
        return _binary(points)

    @router.get("/example/{index}")
    async def get_example(index: str) -> Response:
        number = _integer(index, "example", 0, len(explored) - 1, status=404)
        return _floats(await run_in_threadpool(explored.example, number))

    @router.post("/decode")
    async def decode(request: Request) -> Response:
        choice = _choice(request, explored)
        z = await _floats_of(request, latent_size, MAX_DECODED, "z")
        return _floats(await run_in_threadpool(explored.decode, z.reshape(-1, latent_size), choice))

    @router.get("/elbo")
    async def elbo() -> Response:
        await _until_loaded(explored)
        return Response(orjson.dumps(await run_in_threadpool(lambda: explored.elbo_of_examples)), media_type=_JSON)

    @router.post("/encode")
    async def encode(request: Request) -> Response:
        answer = (await of_x(request, explored.encode))._asdict()
        if not np.isfinite(np.concatenate([np.ravel(value) for value in answer.values()])).all():
            raise RefusedRequest(422, "The ELBO of this x is not finite. Choose an x closer to the model's data.")
        return JSONResponse(answer)

    @router.post("/log_marginal")
    async def log_marginal(request: Request) -> Response:
        found = await of_x(request, explored.log_marginal)
        if not math.isfinite(found):
            raise RefusedRequest(422, "log p(x) of this x is not finite. Choose an x closer to the model's data.")
        return JSONResponse({"log_marginal": found})

    async def of_x(request: Request, answer: Callable[[np.ndarray, int, str | None], Any]) -> Any:
        """Calls a function with the x of a request, its seed and its choice."""
        seed = _integer(request.query_params.get("seed", "0"), "seed", 0, _LARGEST_SEED)
        choice = _choice(request, explored)
        given = await _floats_of(request, event_size, 1, "x", may_have_nan=explored.takes_missing)
        x = given.reshape(explored.event_shape)
        await _until_loaded(explored)
        try:
            return await run_in_threadpool(answer, x, seed, choice)
        except ValueError as error:
            raise RefusedRequest(400, str(error)) from error

    @router.post("/row")
    async def row(request: Request) -> Response:
        choice = _choice(request, explored)
        z = await _floats_of(request, latent_size, 1, "z")
        require_table()
        return JSONResponse(await run_in_threadpool(explored.row, z[np.newaxis], choice))

    @router.post("/columns")
    async def columns(request: Request) -> Response:
        require_table()
        return JSONResponse(await of_x(request, explored.columns_of))

    def require_table() -> None:
        if explored.table is None:
            raise RefusedRequest(404, "This model has no columns, because its data are not a table.")

    @router.get("/prior")
    async def sample_prior(request: Request) -> Response:
        num = _integer(request.query_params.get("num", "24"), "num", 1, MAX_SAMPLES)
        seed = _integer(request.query_params.get("seed", "0"), "seed", 0, _LARGEST_SEED)
        return _floats(*await run_in_threadpool(explored.draw, num, seed, _choice(request, explored)))

    return router


async def _until_loaded(explored: ExploredModel) -> None:
    """Waits for the model itself, without a thread of its own."""
    if explored.loading is None:
        return
    try:
        await asyncio.wrap_future(explored.loading.start())
    except Exception as error:
        raise RefusedRequest(503, f"The model could not be loaded: {error}") from error


def _choice(request: Request, explored: ExploredModel) -> str | None:
    """Returns the choice of a request, after a check."""
    choice = request.query_params.get("choice")
    if explored.choices is None or choice is None:
        return None
    try:
        explored.choices.read(choice)
    except ValueError as error:
        raise RefusedRequest(400, str(error)) from error
    return choice


async def _floats_of(
    request: Request, row_size: int, max_rows: int, name: str, *, may_have_nan: bool = False
) -> np.ndarray:
    """Reads complete rows of finite float32 numbers, or NaN if these may be missing, from the request body."""
    row_bytes = _FLOAT.itemsize * row_size
    body = bytearray()
    async for part in request.stream():
        body += part
        if len(body) > max_rows * row_bytes:
            raise RefusedRequest(
                413,
                f"The request body must contain at most {max_rows} {name} of {row_size} float32 numbers each "
                f"({max_rows * row_bytes} bytes). Received: a longer body",
            )
    if not body or len(body) % row_bytes:
        raise RefusedRequest(
            400,
            f"The request body must contain float32 numbers, {row_size} for each {name} ({row_bytes} bytes). "
            f"Received: {len(body)} bytes",
        )
    values = np.frombuffer(bytes(body), _FLOAT).astype(np.float32)
    if not (np.isfinite(values) | (may_have_nan & np.isnan(values))).all():
        raise RefusedRequest(400, f"`{name}` must contain only finite numbers. Received: NaN or infinity")
    return values


def _integer(text: str, name: str, low: int, high: int, *, status: int = 400) -> int:
    # int() alone would accept "1_0" and numbers with a million digits.
    if not (text.isascii() and text.isdigit() and len(text) <= 10 and low <= int(text) <= high):
        message = f"`{name}` must be an integer from {low} to {high}. Received: {name}={text[:40]!r}"
        raise RefusedRequest(status, message)
    return int(text)


def _floats(*arrays: np.ndarray) -> Response:
    if not all(np.isfinite(array).all() for array in arrays):
        raise RefusedRequest(422, "The decoder's output is not finite. Choose a z closer to the prior.")
    return _binary(b"".join(array.astype(_FLOAT).tobytes() for array in arrays))


def _binary(content: bytes) -> Response:
    return Response(content, media_type="application/octet-stream", headers={"Cache-Control": "no-store"})
