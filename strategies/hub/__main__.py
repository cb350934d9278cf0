"""`python -m strategies.hub`: the service.

Worker processes of multiprocessing import the main module of their parent again, unless it is a `__main__.py`. So they
load no web framework.
"""

from strategies.hub.service import make_app
from strategies.web import serve

if __name__ == "__main__":
    serve(make_app)
