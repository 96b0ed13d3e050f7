"""What a template may cost; measured against templates that were written to hurt."""

FUEL = 50_000
"""What the engine may spend on a part: some 4,000 rows of a table."""
MAX_SOURCE_BYTES = 256_000
"""Of one part."""
MAX_INCLUDED = 10
"""Partials within partials."""
MAX_DATA_CHARS = 100_000
"""Of all that a template is given. Two equal strings cost their length at each comparison."""
MAX_FIELDS = 300
"""Of an object. The engine goes through all of them, uncounted, to say how many there are."""
MAX_RICH_TAGS = 2_000
"""In all values of a part that are cleaned. A tag that is not closed is opened again in each
paragraph."""
MAX_DEPTH = 100
"""Of JSON, a schema's as well."""
MAX_SCHEMA_VALUES = 5_000
"""Of a schema with each reference in the place of what it refers to."""
MAX_SUBJECT_CHARS = 998
"""RFC 5322, section 2.1.1."""
MAX_PRINTED_CHARS = 4_000_000
"""Of all that a part prints while it is filled: what blocks and macros hold is printed again."""
MAX_TEXT_CHARS = 100_000
MAX_HTML_CHARS = 500_000
