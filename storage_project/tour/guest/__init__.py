"""A tiny virtual machine to attach volumes to: Debian's kernel and busybox, nothing installed."""
