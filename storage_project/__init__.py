"""The Django project: settings, the engine (operations), identity, what endpoints share (api)."""
