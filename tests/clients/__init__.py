"""The real, unmodified clients against Khoi as real processes."""
