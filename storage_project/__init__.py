"""The Django project: settings, the engine (operations), identity, and what all endpoints share (api)."""
