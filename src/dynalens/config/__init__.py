"""The configuration: one file, read once. `docs/configuration.md` explains every setting."""

from dynalens.config.document import Problem
from dynalens.config.fingerprint import fingerprint
from dynalens.config.loading import ConfigFileError, described, load, load_server, place_text
from dynalens.config.model import (
    EMBEDDED_METRICS,
    EMBEDDED_SQL,
    CollectionConfig,
    Config,
    MetricConfig,
    Name,
    PublishConfig,
    Scalar,
    Section,
    ServerConfig,
    SourceConfig,
    SumConfig,
    TargetsConfig,
    masked,
)
from dynalens.config.schema import json_schema

__all__ = [
    "EMBEDDED_METRICS",
    "EMBEDDED_SQL",
    "CollectionConfig",
    "Config",
    "ConfigFileError",
    "MetricConfig",
    "Name",
    "Problem",
    "PublishConfig",
    "Scalar",
    "Section",
    "ServerConfig",
    "SourceConfig",
    "SumConfig",
    "TargetsConfig",
    "described",
    "fingerprint",
    "json_schema",
    "load",
    "load_server",
    "masked",
    "place_text",
]
