"""Programs for development: the benchmark and the chaos run. They are no part of the package."""
