"""The demo: an emulated DynamoDB, made-up data that keeps moving, and Dynalens over both, on one machine alone.

The scenarios (`donations`, `transactions`, `images`, `crm`, `shop`) are pure; `emulator` runs and writes the tables;
`process` runs Dynalens in a process of its own; `run` puts them together.
"""
