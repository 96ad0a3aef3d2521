"""Pictures described while they are ingested, each once: a transformation, its caches and its nodes."""
