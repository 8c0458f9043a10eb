"""Which pools can take a volume, in which order, and why the others cannot. Start in `schedule.py`.

Pure functions over frozen dataclasses: no database, no clock, no configuration. The same request
and the same pools always give the same ranking.
"""
