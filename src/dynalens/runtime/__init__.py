"""Runtimes: the long-running worker (`dynalens up`), which owns the data folder and runs pipelines and server."""
