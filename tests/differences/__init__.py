"""Services whose difference is known, and whether `versus` and `gate` find it.

fastapi_service.py   a service in FastAPI; it can be made later, or hungrier, by a known amount
flask_service.py     the same in Flask
node_service.mjs     the same in Node
openapi.json         what all three say of themselves
running.py           starts them, and the commands that ask them
check.py             `python -m tests.differences.check`: many runs, which take a quiet machine and hours
"""
