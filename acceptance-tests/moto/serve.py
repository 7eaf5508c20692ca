"""Serves moto on a free loopback port, prints the port, and ends when its parent does.

The parent keeps this program's standard input open: the end of it is the end of the parent, however that came.
"""

import logging
import os
import sys
import threading

from moto.moto_server.werkzeug_app import (
    DomainDispatcherApplication,
    MotoRequestHandler,
    create_backend_app,
)
from werkzeug.serving import make_server


def end_with_parent() -> None:
    sys.stdin.buffer.read()
    os._exit(0)


def main() -> None:
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    threading.Thread(target=end_with_parent, daemon=True).start()
    MotoRequestHandler.protocol_version = "HTTP/1.1"
    server = make_server(
        "127.0.0.1",
        0,
        DomainDispatcherApplication(create_backend_app),
        threaded=True,
        request_handler=MotoRequestHandler,
    )
    print(server.port, flush=True)
    server.serve_forever()


main()
