"""Workers on other machines, for those whose datasites one machine does not read in time."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from concurrent.futures import CancelledError, Executor

from shared.errors import FilesError, SettingsError

PATIENCE_SECONDS = 10


@contextlib.contextmanager
def dask_executor(address: str) -> Iterator[Executor]:
    """Yield an executor whose work is done by the workers of a Dask scheduler, `tcp://HOST:PORT`.

    They need this version of netflix-trend, and must see the datasites at the same path.

    Raises: SettingsError if Dask is not installed, FilesError if the scheduler or its workers cannot be reached.
    """
    try:
        from distributed import Client, KilledWorker
        from distributed.comm import CommClosedError
    except ImportError:
        raise SettingsError("--dask needs Dask: pip install 'netflix-trend[dask]'") from None
    try:
        client = Client(address, timeout=PATIENCE_SECONDS, set_as_default=False)
    except (OSError, ValueError) as error:
        reason = " ".join(str(error).split())[:200]
        raise FilesError(f"no Dask scheduler at {address}: {reason}; start it, or leave --dask out") from None
    with client:
        try:
            # The same files are looked at again when they changed: what was found before must not be taken for it.
            yield client.get_executor(pure=False)
        except (CommClosedError, KilledWorker, CancelledError) as error:
            raise FilesError(f"the Dask workers of {address} went away: {type(error).__name__}; start them") from None
