"""The async twin: FastAPI on uvicorn's event loop. A wait gives the loop to other requests."""
