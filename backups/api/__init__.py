"""The addresses of backups: views, what they read and what they show."""
