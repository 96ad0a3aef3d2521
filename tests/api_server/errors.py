"""What the server answers when it refuses: a status and the API's documented error body."""

from http import HTTPStatus


class Refusal(Exception):
    """A request that the contract refuses, with the status and message of the answer."""

    def __init__(self, status: HTTPStatus, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.message = message


def error_body(status: int, message: str) -> dict[str, object]:
    """The documented error object.

    `type` is the same on every status, as documented: clients must classify by status. `code` is the name of
    the status (the API documents NOT_FOUND; the others follow it).
    """
    try:
        code = HTTPStatus(status).name
    except ValueError:
        code = f"STATUS_{status}"
    return {
        "error": {"object": "error", "type": "invalid_request_error", "code": code, "message": message},
    }
