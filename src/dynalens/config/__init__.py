"""The configuration: one file, read once. `docs/configuration.md` explains every setting."""

from dynalens.config.clickhouse import ClickHouseLocation, clickhouse_flaw, clickhouse_location
from dynalens.config.dashboard import DashboardConfig, PanelConfig
from dynalens.config.document import Problem
from dynalens.config.fingerprint import Difference, differences, fingerprint
from dynalens.config.loading import ConfigFileError, described, load, load_dashboards, load_server, place_text
from dynalens.config.model import (
    DEFAULT_ITEM_TYPE,
    EMBEDDED_METRICS,
    EMBEDDED_SEARCH,
    EMBEDDED_SQL,
    CollectionConfig,
    Config,
    Duration,
    MetricConfig,
    Name,
    PublishConfig,
    Scalar,
    SearchConfig,
    Section,
    ServerConfig,
    SourceConfig,
    SumConfig,
    TargetsConfig,
    masked,
)
from dynalens.config.schema import json_schema
from dynalens.config.settings import dump_settings, load_settings
from dynalens.config.store import StoreLocation, store_location

__all__ = [
    "DEFAULT_ITEM_TYPE",
    "EMBEDDED_METRICS",
    "EMBEDDED_SEARCH",
    "EMBEDDED_SQL",
    "ClickHouseLocation",
    "CollectionConfig",
    "Config",
    "ConfigFileError",
    "DashboardConfig",
    "Difference",
    "Duration",
    "MetricConfig",
    "Name",
    "PanelConfig",
    "Problem",
    "PublishConfig",
    "Scalar",
    "SearchConfig",
    "Section",
    "ServerConfig",
    "SourceConfig",
    "StoreLocation",
    "SumConfig",
    "TargetsConfig",
    "clickhouse_flaw",
    "clickhouse_location",
    "described",
    "differences",
    "dump_settings",
    "fingerprint",
    "json_schema",
    "load",
    "load_dashboards",
    "load_server",
    "load_settings",
    "masked",
    "place_text",
    "store_location",
]
