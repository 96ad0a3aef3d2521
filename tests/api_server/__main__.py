"""Runs the server as a process of its own, until it is interrupted."""

import argparse

from tests.api_server.server import DEFAULT_KEY, ApiServer


def main() -> None:
    """Serve on the port and with the key that the command line gives."""
    parser = argparse.ArgumentParser(prog="python -m tests.api_server", description=__doc__)
    parser.add_argument("--port", type=int, default=0, help="0 takes any free port")
    parser.add_argument("--key", default=DEFAULT_KEY, help="the key that is accepted")
    arguments = parser.parse_args()
    server = ApiServer(key=arguments.key, port=arguments.port)
    print(server.base_url, flush=True)  # noqa: T201 (whoever started the process reads the address here)
    server.serve()


if __name__ == "__main__":
    main()
