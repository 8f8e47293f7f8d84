"""One metric per file; only the evaluator calls them."""
