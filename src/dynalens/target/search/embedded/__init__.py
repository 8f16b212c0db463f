"""Search on Tantivy, embedded in this process."""
