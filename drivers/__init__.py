"""The outside world behind small interfaces: pure Python, plain data in and out, no Django."""
