"""A real OpenSearch: nodes started from the artifacts of a Maven repository, without a container."""
