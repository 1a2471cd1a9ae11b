"""Who works for ``emotag tag``: this process, several, or a cluster; and by what."""

from contextlib import AbstractContextManager, nullcontext

from emotag.bundle.config import BundleConfig

__all__ = ["choose_workers", "pick_engine"]


def pick_engine(name: str, n_photos: int, config: BundleConfig, *, quiet: bool) -> str:
    """Return the engine to run, and say why where it is slower than those of other models."""
    from emotag.cli.console import notes, safe
    from emotag.models.engines import choose_engine

    chosen = choose_engine(name, n_photos, config)
    if not config.has_network and not quiet:
        notes.print(
            f"{safe(config.name)} has hand-crafted features and no ONNX form: scikit-learn runs it."
        )
    return chosen


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
