"""`manage.py up`: starts every process of Khoi on this machine, keeps them running, stops them.

Read `stack` first: it is the whole start, in order. The processes are forked from one image that
has imported everything (`image`), so that they share their memory; `supervisor` looks after them.
"""
