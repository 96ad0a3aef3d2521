"""Model servers as they are found on people's machines: what each says about itself and its models.

Each answers as its documentation says: Ollama's ``/api/show``, LM Studio's ``/api/v0/models``, llama-server's
``/props``, SGLang's ``/model_info``, and the list of models that all of them have. They run in a thread, on a
port of their own, and keep what they were asked. No model is behind them.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from tests.asgi_server import AsgiServer

__all__ = ["Asked", "LocalServer", "llama_server", "lm_studio", "ollama", "says", "sglang", "vllm"]

Endpoint = Callable[[Request], Awaitable[Response]]


@dataclass(frozen=True, slots=True)
class Asked:
    """One request, as it came."""

    method: str
    path: str
    headers: Mapping[str, str] = field(repr=False)


class LocalServer(AsgiServer):
    """A server on 127.0.0.1; ``with LocalServer(routes) as server:`` runs it in a thread for the block."""

    def __init__(self, routes: Sequence[Route], *, elsewhere: Endpoint | None = None) -> None:
        self.asked: list[Asked] = []
        every_other = [Route("/{path:path}", elsewhere, methods=["GET", "POST"])] if elsewhere else []
        self._app = Starlette(routes=[*routes, *every_other])
        # A bound method is not recognised as what it is.
        super().__init__(self._serve, interface="asgi3")

    async def _serve(self, scope: Any, receive: Any, send: Any) -> None:
        request = Request(scope)
        self.asked.append(Asked(request.method, request.url.path, dict(request.headers)))
        await self._app(scope, receive, send)

    @property
    def url(self) -> str:
        """The base URL, with its ``/v1``."""
        return f"http://127.0.0.1:{self.port}/v1"


def says(body: object) -> Endpoint:
    """An endpoint that always answers the same JSON."""

    async def endpoint(request: Request) -> Response:
        return JSONResponse(body)

    return endpoint


def _listing(names: Sequence[str], owner: str, **more: object) -> Route:
    data = [{"id": name, "object": "model", "created": 1, "owned_by": owner, **more} for name in names]
    return Route("/v1/models", says({"object": "list", "data": data}))


def ollama(
    capabilities: Mapping[str, Sequence[str]], *, remote_hosts: Mapping[str, str] | None = None
) -> LocalServer:
    """Ollama with these models and what each can do; models with a remote host are its cloud's."""

    async def show(request: Request) -> Response:
        name = (await request.json())["model"]
        if name not in capabilities:
            return JSONResponse({"error": f"model '{name}' not found"}, HTTPStatus.NOT_FOUND)
        shown: dict[str, object] = {"details": {"format": "gguf"}, "capabilities": list(capabilities[name])}
        if host := (remote_hosts or {}).get(name):
            shown |= {"remote_host": host, "remote_model": name}
        return JSONResponse(shown)

    # Without a model, Ollama lists null.
    data = [{"id": name, "object": "model", "owned_by": "library"} for name in capabilities] or None
    listing = Route("/v1/models", says({"object": "list", "data": data}))
    return LocalServer([listing, Route("/api/show", show, methods=["POST"])])


def lm_studio(types: Mapping[str, str], *, loaded: Sequence[str] = ()) -> LocalServer:
    """LM Studio with these models and the type of each. It answers any other path with 200 and an error."""
    data = [
        {"id": name, "object": "model", "type": kind, "state": "loaded" if name in loaded else "not-loaded"}
        for name, kind in types.items()
    ]
    own = Route("/api/v0/models", says({"object": "list", "data": data}))
    unexpected = says({"error": "Unexpected endpoint or method."})
    return LocalServer([_listing([*types], "organization_owner"), own], elsewhere=unexpected)


def llama_server(name: str, *, sees: bool, tells_in_list: bool = True) -> LocalServer:
    """llama-server with one model. Before it told modalities in its list, it did so in ``/props`` alone."""
    modalities = {"input_modalities": ["text", "image"] if sees else ["text"], "output_modalities": ["text"]}
    listing = _listing([name], "llamacpp", **({"architecture": modalities} if tells_in_list else {}))
    return LocalServer([listing, Route("/props", says({"modalities": {"vision": sees, "audio": False}}))])


def vllm(*names: str) -> LocalServer:
    """vLLM, which does not tell what its models see."""
    return LocalServer([_listing(names, "vllm", max_model_len=4096)])


def sglang(name: str, *, sees: bool | None, path: str = "/model_info") -> LocalServer:
    """SGLang with one model; old versions do not tell, or tell under the old path."""
    info: dict[str, object] = {"model_path": name, "is_generation": True}
    if sees is not None:
        info["has_image_understanding"] = sees
    return LocalServer([_listing([name], "sglang"), Route(path, says(info))])
