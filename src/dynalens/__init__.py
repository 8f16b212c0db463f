"""Dynalens: a live copy of DynamoDB tables, with SQL, search and metrics over it."""

__version__ = "0.1.0.dev0"
