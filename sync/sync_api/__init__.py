"""The sync twin: Flask on gunicorn's threads. A wait blocks the thread that waits."""
