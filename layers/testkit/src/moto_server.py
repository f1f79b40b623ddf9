"""Runs moto's server on a free port, prints the port, and ends with the process that started it.

Requests are served one after the other: moto checks a condition and writes in two steps, and undoes a
failed transaction by restoring its copy of the whole table, so that with threads it loses writes which the
real services keep.
"""

import os
import sys
import threading

from moto.server import DomainDispatcherApplication, create_backend_app
from werkzeug.serving import WSGIRequestHandler, make_server


class Quiet(WSGIRequestHandler):
    def log(self, *_):
        pass


def end_with_the_parent():
    sys.stdin.read()
    os._exit(0)


server = make_server(
    "127.0.0.1", 0, DomainDispatcherApplication(create_backend_app), threaded=False, request_handler=Quiet
)
threading.Thread(target=end_with_the_parent, daemon=True).start()
print(server.server_port, flush=True)
server.serve_forever()
