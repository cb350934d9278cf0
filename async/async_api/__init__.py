"""The async twin: FastAPI on uvicorn's event loop. While a request waits, the loop handles others."""
