"""Volumes, their types and quotas, the scheduler, and the pipelines that make and unmake them."""
