"""A Dask cluster as a backend of joblib's, such that no failure is waited for in vain."""

import json
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import CancelledError, Future
from contextlib import contextmanager
from typing import Any

from emotag import __version__
from emotag.errors import MissingExtraError, WorkersError

__all__ = ["cluster_backend", "on_cluster"]

_SECONDS = 30.0
_SHOWN = 120


@contextmanager
def on_cluster(address: str) -> Iterator[int]:
    """Let `emotag.parallel.workers` work on a Dask cluster while the body runs.

    Parameters
    ----------
    address : str
        Of the scheduler, such as ``'tcp://host:8786'``; the file that it wrote about
        itself (``--scheduler-file``) will do too.

    Yields
    ------
    int
        How many threads its workers have.

    Raises
    ------
    WorkersError
        It cannot be reached, has no worker, or its workers have another emotag or none.
    MissingExtraError
        Dask is not installed.
    """
    try:
        import distributed
    except ImportError as error:
        raise MissingExtraError("--dask needs more; type: pip install 'emotag[dask]'") from error
    from joblib import parallel_config

    if address.endswith(".json"):
        address = _read_address(address)
    try:
        client: Any = distributed.Client(address, timeout=_SECONDS)  # type: ignore[no-untyped-call]
    except (OSError, ValueError) as error:
        raise WorkersError(
            f"There is no Dask scheduler at {address}; start one by: dask scheduler"
        ) from error
    with client:
        _refuse_workers(client, address)
        with parallel_config(backend="dask"):
            yield sum(client.ncores().values())


def _read_address(path: str) -> str:
    """Return the address of the scheduler that wrote a file about itself."""
    # Dask itself would wait for a file that is not there
    try:
        with open(path, encoding="utf-8") as file:
            return str(json.load(file)["address"])
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise WorkersError(
            f"{path} is no file of a Dask scheduler; it writes one by: dask scheduler "
            f"--scheduler-file {path}"
        ) from error


def _refuse_workers(client: Any, address: str) -> None:
    try:
        client.wait_for_workers(1, timeout=_SECONDS)
    except TimeoutError as error:
        raise WorkersError(
            f"The cluster at {address} has no worker; start some by: dask worker {address}"
        ) from error
    for worker, version in client.run(_version_there).items():
        if version != __version__:
            has = f"emotag {version}" if version else "no emotag"
            raise WorkersError(
                f"The worker {worker} has {has}, and this is emotag {__version__}; install the "
                "same on all machines."
            )


def _version_there() -> str:
    """Return the version of emotag where this runs, or nothing."""
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version("emotag")
    except PackageNotFoundError:
        return ""


def cluster_backend() -> Any:
    """Return the backend to use where the active one is Dask's; None where it is not.

    joblib 1.6's own waits for ever for a task that Dask gives up, runs tasks in this very
    process while the cluster has one thread, and is not for use after a failure.
    """
    # whoever has named Dask has imported it
    if "distributed" not in sys.modules:
        return None
    import asyncio

    from joblib._dask import DaskDistributedBackend
    from joblib.parallel import get_active_backend

    class Backend(DaskDistributedBackend):
        """Dask's, that hands on also failures which are not of the function itself."""

        def effective_n_jobs(self, n_jobs: int) -> int:
            # for one, joblib would not ask the cluster
            threads: int = super().effective_n_jobs(n_jobs)
            return max(2, threads)

        def submit(self, func: Any, callback: Callable[[Any], None] | None = None) -> Any:
            future = super().submit(func, callback)

            def hand_on(done: "Future[Any]") -> None:
                error = done.exception()
                if error is not None and callback is not None:
                    callback(_Failure(error))

            future.add_done_callback(hand_on)
            return future

        def retrieve_result_callback(self, out: Any) -> Any:
            if isinstance(out, _Failure):
                raise _explained(out.error)
            if isinstance(out, asyncio.CancelledError | CancelledError):
                raise _explained(out)
            return super().retrieve_result_callback(out)

    active, _ = get_active_backend()
    return Backend(client=active.client) if isinstance(active, DaskDistributedBackend) else None


def _explained(error: BaseException) -> BaseException:
    """Return the error to raise for a task that Dask has given up."""
    from distributed import KilledWorker

    if isinstance(error, KilledWorker):
        return error
    reason = " ".join(str(error).split()) or type(error).__name__
    return WorkersError(
        f"The Dask cluster was lost before all was done ({reason[-_SHOWN:]}). "
        "Once it is there again, the same command goes on."
    )


class _Failure:
    """What Dask itself says of a task; what the function raised comes as it is."""

    def __init__(self, error: BaseException) -> None:
        self.error = error
