"""The synchronous part of every write: check, charge, move the status, open the operation."""
