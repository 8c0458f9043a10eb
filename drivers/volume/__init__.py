"""Volume drivers: what holds the bytes of volumes. `base` is the interface of all of them."""
