"""Where blocking work goes when the caller is asynchronous: a small pool of threads.

Decoding and scaling images runs outside the interpreter lock, so a few threads keep the cores busy; more
would only hold more pictures in memory at the same time.
"""

from __future__ import annotations

import asyncio
import contextvars
import os
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from typing import TYPE_CHECKING, ParamSpec, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["in_thread"]

_P = ParamSpec("_P")
_T = TypeVar("_T")


@cache
def _pool() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(max_workers=min(4, os.cpu_count() or 1), thread_name_prefix="firellava")


async def in_thread(function: Callable[_P, _T], *args: _P.args, **kwargs: _P.kwargs) -> _T:
    """Call `function` on the pool with the caller's context variables, without holding up the event loop."""
    context = contextvars.copy_context()
    loop = asyncio.get_running_loop()
    return await loop.run_in_executor(_pool(), lambda: context.run(function, *args, **kwargs))


if hasattr(os, "register_at_fork"):
    # The threads of a pool do not survive a fork: the child makes its own.
    os.register_at_fork(after_in_child=_pool.cache_clear)
