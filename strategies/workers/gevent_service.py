"""`python -m strategies.workers.gevent_service`: the same service under gunicorn's gevent worker, as the twin runs it.

In a module of its own, so that the other workers do not load gevent.
"""

from strategies.flask_web import serve
from strategies.workers.service import make_app
from sync_api.gevent_server import GreenletWorker

if __name__ == "__main__":
    serve(make_app, GreenletWorker)
