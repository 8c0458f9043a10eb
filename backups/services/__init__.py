"""What can be asked for: each of these answers a request, in one transaction."""
