"""The backup engine: volumes in and out of a repository. It knows no Django and no database.

`docs/repository-format.md` explains the words and every byte. Read `repository.py` first, then
`backup.py` and `restore.py`; `collect.py`, `verify.py` and `scan.py` work on what those left.
"""
