"""Hypervisors: what plugs an exported volume into a server, and takes it out again."""
