"""TensorFlow Serving's REST API for one model, with health and metrics beside it."""

import contextlib
from collections.abc import AsyncIterator
from typing import Annotated, Any

from fastapi import FastAPI, Path, Request
from fastapi.responses import JSONResponse, RedirectResponse, Response
from starlette.convertors import StringConvertor, register_url_convertor
from starlette.exceptions import HTTPException

from tfvae._version import __version__
from tfvae.serving.access import SameOrigin
from tfvae.serving.limits import Limits
from tfvae.serving.openapi import describe_predict, describe_refusals
from tfvae.serving.predicting import Predictor
from tfvae.serving.refusal import RefusedRequest, answer_refusal
from tfvae.serving.served_model import ServedModel
from tfvae.serving.start_page import start_page

_STATE = {"state": "AVAILABLE", "status": {"error_code": "OK", "error_message": ""}}
_OTHER_METHODS = {"classify": "classification", "regress": "regression"}


class _ModelName(StringConvertor):
    """What stands in a path for the model: without the colon that comes before a method's name."""

    regex = "[^/:]+"


register_url_convertor("model_name", _ModelName())


def make_app(model: ServedModel, *, limits: Limits | None = None, batching: bool = True) -> FastAPI:
    """An app that answers as TensorFlow Serving does, so that a client can move there without change.

    * `GET /v1/models/NAME`, also with `/versions/V`: the model's state; `.../metadata`: its signatures;
    * `POST /v1/models/NAME:predict`, also with `/versions/V`: `{"signature_name": ..., "inputs": {...}}`, or
      `"instances"` for a signature whose inputs all count examples; `serving_default` where no signature is named;
    * `GET /healthz`; `GET /metrics`, for Prometheus; `GET /openapi.json`;
    * `GET /` and `/docs`: a page that says what is here and how to ask, without scripts.

    A mistake in a request is a 4xx with `{"error": one sentence}`, and so is a request of another site's page
    (`SameOrigin`). `run_app` refuses foreign names too. Other routes can be added to the app.

    Args:
        model: what is served.
        limits: how much one request may ask for.
        batching: whether waiting requests are joined where each example is answered for itself.

    References:
        TensorFlow Serving, RESTful API, https://www.tensorflow.org/tfx/serving/api_rest.
    """
    limits = limits or Limits()
    predictor = Predictor(model, limits, batching=batching)

    @contextlib.asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        yield
        predictor.close()

    # FastAPI's own pages load scripts from elsewhere.
    title = f"{model.name}, served by tfvae"
    app = FastAPI(title=title, version=__version__, lifespan=lifespan, docs_url=None, redoc_url=None)
    app.add_middleware(SameOrigin)
    app.add_exception_handler(RefusedRequest, answer_refusal)
    app.add_exception_handler(HTTPException, _answer_unknown_route)
    refusals, metadata, version_there = describe_refusals(), model.metadata(), str(model.version)
    state = {"model_version_status": [{"version": version_there, **_STATE}]}
    here, at_version = "/v1/models/{name:model_name}", "/v1/models/{name:model_name}/versions/{version:model_name}"
    Name = Annotated[str, Path(json_schema_extra={"enum": [model.name]})]
    Version = Annotated[str, Path(json_schema_extra={"enum": [version_there]})]

    def check(name: str, version: str | None = None) -> None:
        if name != model.name or (version is not None and version != version_there):
            wanted = f"Specific({name[:80]}, {version[:20]})" if version is not None else f"Latest({name[:80]})"
            raise RefusedRequest(404, f"Servable not found for request: {wanted}. There is {model.name}, version "
                                      f"{model.version}.")  # fmt: skip

    # A route each with and without a version: an optional argument would also be read from the query.
    @app.get(here, responses=refusals(404, 405))
    async def status(name: Name) -> Any:
        check(name)
        return state

    @app.get(at_version, responses=refusals(404, 405))
    async def version_status(name: Name, version: Version) -> Any:
        check(name, version)
        return state

    @app.get(f"{here}/metadata", responses=refusals(404))
    async def signatures(name: Name) -> Any:
        check(name)
        return metadata

    @app.get(f"{at_version}/metadata", responses=refusals(404))
    async def version_signatures(name: Name, version: Version) -> Any:
        check(name, version)
        return metadata

    documented: dict[str, Any] = {
        "openapi_extra": describe_predict(model, limits),
        "responses": refusals(400, 403, 404, 408, 413, 415, 429, 503),
    }

    @app.post(f"{here}:predict", **documented)
    async def predict(request: Request, name: Name) -> Response:
        return await answer_predict(request, name)

    @app.post(f"{at_version}:predict", **documented)
    async def version_predict(request: Request, name: Name, version: Version) -> Response:
        return await answer_predict(request, name, version)

    async def answer_predict(request: Request, name: str, version: str | None = None) -> Response:
        try:
            check(name, version)
        except RefusedRequest as refusal:
            predictor.refused(refusal.status)
            raise
        return await predictor.answer(request)

    @app.post(f"{here}:{{method}}", include_in_schema=False)
    async def other_method(name: str, method: str) -> Response:
        check(name)
        return refuse_method(method)

    @app.post(f"{at_version}:{{method}}", include_in_schema=False)
    async def other_version_method(name: str, version: str, method: str) -> Response:
        check(name, version)
        return refuse_method(method)

    def refuse_method(method: str) -> Response:
        if method not in _OTHER_METHODS:
            raise RefusedRequest(404, f"Models here are asked with :predict; received :{method[:80]}.")
        raise RefusedRequest(
            400,
            f"Expected {_OTHER_METHODS[method]} signature method_name to be tensorflow/serving/{method}. Was: "
            "tensorflow/serving/predict. Ask with :predict.",
        )

    @app.api_route(f"{here}/labels/{{rest:path}}", methods=["GET", "POST"], include_in_schema=False)
    async def labels(name: str, rest: str) -> Response:
        check(name)
        label = rest.split("/")[0].split(":")[0]
        raise RefusedRequest(
            404,
            f"Unrecognized servable version label: {label[:80]}. Versions of {model.name} have no labels here: ask "
            f"{model.name}, or its version {model.version} by number.",
        )

    @app.get("/", include_in_schema=False)
    async def start(request: Request) -> Response:
        if _has_explore(app):
            return RedirectResponse("explore/")
        return await about(request)

    @app.get("/docs", include_in_schema=False)
    async def about(request: Request) -> Response:
        return start_page(model, str(request.base_url), has_explore=_has_explore(app))

    @app.head("/healthz", include_in_schema=False)
    @app.get("/healthz")
    async def health() -> Any:
        return {"status": "ok", "model": model.name, "version": model.version}

    @app.get("/metrics", response_class=Response, responses={200: {"content": {"text/plain": {}}}})
    async def counts() -> Response:
        return Response(predictor.metrics.text(), media_type="text/plain; version=0.0.4; charset=utf-8")

    return app


def _has_explore(app: FastAPI) -> bool:
    return getattr(app.state, "has_explore", False)


async def _answer_unknown_route(request: Request, error: Exception) -> Response:
    if not isinstance(error, HTTPException):
        raise error
    message = f"Malformed request: {request.method} {request.url.path[:200]}"
    return JSONResponse({"error": message}, status_code=error.status_code, headers=error.headers)
