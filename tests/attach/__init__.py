"""Volumes attached to real guests, every process real, and killed."""
