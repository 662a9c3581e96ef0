"""nftables in the process: libnftables through ctypes.

    nft = await NftThread.open()                    # for the namespace that the process is in
    await nft.run("add element ip t m { ... }")     # one text, one transaction: all of it or nothing

A libnftables context belongs to the namespace of the thread that made it, whichever thread uses it later. A call waits for the kernel with
Python's lock released; it has a thread of its own so that it holds up neither the event loop nor other kernel work.
"""

from __future__ import annotations

import asyncio
import ctypes
import functools
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Final, TypeVar

from netns.errors import NetnsError, NftError
from netns.kernel import inside, libc

T = TypeVar("T")

_OUTPUT_JSON: Final = 1 << 4
_LARGE: Final = 1 << 11           # bytes of text after which the allocator is asked to give memory back


class Nft:
    """A context of the calling thread's namespace. Not for two threads at once."""

    def __init__(self) -> None:
        self._library = _library()
        self._context = self._library.nft_ctx_new(0)
        if not self._context:
            raise NetnsError("libnftables refused a context")
        self._library.nft_ctx_buffer_output(self._context)
        self._library.nft_ctx_buffer_error(self._context)

    def close(self) -> None:
        self._library.nft_ctx_free(self._context)

    def run(self, text: str, *, json: bool = False) -> str:
        """Runs the commands as one transaction and gives what they print. Raises NftError; then nothing was changed."""
        self._library.nft_ctx_output_set_flags(self._context, _OUTPUT_JSON if json else 0)
        failed = self._library.nft_run_cmd_from_buffer(self._context, text.encode())
        output = self._library.nft_ctx_get_output_buffer(self._context).decode()
        error = self._library.nft_ctx_get_error_buffer(self._context).decode()
        if len(text) > _LARGE:
            # A load of 25,000 elements leaves 73 MB of freed pieces behind otherwise.
            libc().malloc_trim(0)
        if failed:
            raise NftError(_first_error(error))
        return str(output)


class NftThread:
    """A context with a thread of its own, for an event loop."""

    def __init__(self, executor: ThreadPoolExecutor, nft: Nft) -> None:
        self._executor = executor
        self._nft = nft

    @classmethod
    async def open(cls, netns_path: str | None = None) -> NftThread:
        """For the namespace at that path; None is the process's own."""
        executor = ThreadPoolExecutor(max_workers=1, thread_name_prefix="nft")
        return cls(executor, await asyncio.get_running_loop().run_in_executor(executor, _made_inside, netns_path))

    async def run(self, text: str, *, json: bool = False) -> str:
        """As Nft.run. A cancelled caller does not stop a transaction that has begun."""
        return await self._call(partial(self._nft.run, text, json=json))

    async def aclose(self) -> None:
        await self._call(self._nft.close)
        self._executor.shutdown()

    async def _call(self, work: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._executor, work)


def _made_inside(netns_path: str | None) -> Nft:
    with inside(netns_path):
        return Nft()


def _first_error(text: str) -> str:
    # What follows the first line repeats the input, possibly megabytes of it, with a caret that often points elsewhere.
    lines = [line for line in text.splitlines() if "Error:" in line]
    return lines[0].partition("Error:")[2].strip() if lines else text.strip()[:200] or "refused without a reason"


@functools.cache
def _library() -> ctypes.CDLL:
    try:
        library = ctypes.CDLL("libnftables.so.1")
    except OSError as error:
        raise NetnsError("libnftables.so.1 is missing: apt-get install nftables") from error
    context = ctypes.c_void_p
    library.nft_ctx_new.restype, library.nft_ctx_new.argtypes = context, [ctypes.c_uint32]
    library.nft_ctx_free.restype, library.nft_ctx_free.argtypes = None, [context]
    library.nft_ctx_output_set_flags.restype, library.nft_ctx_output_set_flags.argtypes = None, [context, ctypes.c_uint]
    library.nft_run_cmd_from_buffer.argtypes = [context, ctypes.c_char_p]
    for name in ("nft_ctx_buffer_output", "nft_ctx_buffer_error"):
        getattr(library, name).argtypes = [context]
    for name in ("nft_ctx_get_output_buffer", "nft_ctx_get_error_buffer"):
        getattr(library, name).restype, getattr(library, name).argtypes = ctypes.c_char_p, [context]
    return library
