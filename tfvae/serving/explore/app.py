"""Adds the explore page and its API to a FastAPI app."""

from fastapi import FastAPI

from tfvae.serving.access import SameOrigin
from tfvae.serving.explore.api import explore_api
from tfvae.serving.explore.explored_model import ExploredModel
from tfvae.serving.explore.page_files import explore_page
from tfvae.serving.refusal import RefusedRequest, answer_refusal


def add_explore(app: FastAPI, explored: ExploredModel) -> FastAPI:
    """Adds the page at `/explore/` to an app and returns the app. Existing routes are kept.

    Requests from pages of other sites are refused (`SameOrigin`), and `run_app` refuses unknown host names.
    """
    if not any(middleware.cls is SameOrigin for middleware in app.user_middleware):
        app.add_middleware(SameOrigin)
    app.state.has_explore = True
    app.include_router(explore_api(explored))
    app.include_router(explore_page())
    app.add_exception_handler(RefusedRequest, answer_refusal)
    return app
