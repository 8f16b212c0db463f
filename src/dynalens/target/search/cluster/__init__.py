"""Search on a cluster: OpenSearch or Elasticsearch."""
