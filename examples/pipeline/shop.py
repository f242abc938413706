"""The settings of the application that the pipeline is for."""

from dynaconf import Dynaconf, Validator

settings = Dynaconf(
    envvar_prefix="SHOP",
    loaders=["dynaconf_k8s_reload.loader"],  # reads /config, in the cluster
    validators=[Validator("POOL_SIZE", cast=int, gte=1, lte=100)],
)
