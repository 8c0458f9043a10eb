"""What every driver of a kind must do: one suite per kind, which each driver's own tests run."""
