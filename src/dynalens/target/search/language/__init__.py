"""What every search engine is asked the same way: how texts and values become words and tokens, and queries clauses."""
