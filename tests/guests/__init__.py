"""Guests that were booted once, and start from then on where they were saved."""
