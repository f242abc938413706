"""A FastAPI application each of whose requests sees one generation of its ConfigMap."""

from __future__ import annotations

import logging
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated, Any

from dynaconf import Dynaconf, Validator
from fastapi import Depends, FastAPI
from pydantic import BaseModel

from dynaconf_k8s_reload import Changes, get_reloader
from dynaconf_k8s_reload.asgi import PinMiddleware, status_app

settings: Any = Dynaconf(
    envvar_prefix="SHOP",
    loaders=["dynaconf_k8s_reload.loader"],
    k8s_mounts=[os.environ.get("CONFIG_DIR", "/config")],
    validators=[
        Validator("LOG_LEVEL", default="INFO", is_in=["DEBUG", "INFO", "WARNING"]),
        Validator("DISCOUNT", default=0, gte=0, lte=90),
    ],
)
reloader = get_reloader(settings)
log = logging.getLogger("shop")


async def pinned() -> Any:
    """Give the settings of this request's generation."""
    return reloader.snapshot()


Config = Annotated[Any, Depends(pinned)]


class Price(BaseModel):
    """What a customer pays.

    Attributes:
        amount: in cents.
        worker: which process answered.
    """

    amount: float
    worker: int


@asynccontextmanager
async def lifespan(_: FastAPI) -> AsyncIterator[None]:
    """Follow the log level as long as the application runs."""
    log.setLevel(settings.LOG_LEVEL)
    reloader.on_change("LOG_LEVEL")(follow)
    yield
    reloader.unsubscribe(follow)


async def follow(changes: Changes) -> None:
    """Have the log show what the ConfigMap says."""
    log.setLevel(changes["LOG_LEVEL"].new)


app = FastAPI(lifespan=lifespan)
app.add_middleware(PinMiddleware, settings=settings)
app.mount("/-/config", status_app(settings))


@app.get("/price")
async def price(config: Config) -> Price:
    """Answer from two settings that must agree."""
    return Price(amount=discounted(config.PRICE), worker=os.getpid())


def discounted(amount: float) -> float:
    """Take the discount off; the pin makes it the one that goes with this amount."""
    discount: int = reloader.snapshot().DISCOUNT
    return amount * (100 - discount) / 100


@app.get("/level")
async def shown_level() -> dict[str, str]:
    """Answer the level of the log."""
    return {"level": logging.getLevelName(log.level)}
