"""The sync twin: Flask on gunicorn's threads. Waiting blocks a thread."""
