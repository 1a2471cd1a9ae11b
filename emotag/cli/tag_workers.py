"""Who works for ``emotag tag``: this process, several, or a cluster."""

from contextlib import AbstractContextManager, nullcontext

__all__ = ["choose_workers"]


def choose_workers(processes: int | None, dask: str | None) -> AbstractContextManager[object]:
    """Return the context in which photos are judged by those that were asked for."""
    if processes:
        import os

        from emotag.parallel.workers import on_processes

        # what their helpers would say of an interrupted run
        os.environ["PYTHONWARNINGS"] = "ignore"
        return on_processes(processes)
    if dask:
        import logging

        from emotag.parallel.cluster import on_cluster

        # what goes wrong there is said by us, once
        logging.disable(logging.CRITICAL)
        return on_cluster(dask)
    return nullcontext()
