"""One search, every engine: the same documents, the same questions, the same answers (`docs/search.md`)."""
