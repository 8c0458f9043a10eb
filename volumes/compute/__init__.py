"""The part of the Compute API v2.1 that attaches volumes to servers, below `/compute/v2.1`."""
