"""What `manage.py demo` shows: a volume's life, asked for over HTTP and checked on the disk.

Read `chapters` first: each is a function that asks for something as a tenant would, shows the
steps of the operation as they happen, and checks what it claims. To add one, write a function like
those and name it in `chapters.CHAPTERS`.
"""
