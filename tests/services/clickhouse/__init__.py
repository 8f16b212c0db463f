"""ClickHouse over HTTP: the engine is real (chDB), what speaks HTTP before it is ours."""
