"""Which options of ``emotag fetch`` go with which of its jobs."""

import typer

__all__ = ["check_job"]

# What each job takes beside itself; a search, which is the usual one, takes the others.
_JOBS = {
    "setup": {"quiet"},
    "forget": {"labels", "out", "quiet"},
    "manifest": {"out", "contact", "threads", "quiet"},
}


def check_job(context: typer.Context) -> None:
    """Refuse options that a job would ignore.

    Raises
    ------
    typer.BadParameter
        The message says which.
    """
    typed = {
        parameter.name: parameter.opts[0] if parameter.opts[0].startswith("-") else "LABEL"
        for parameter in context.command.params
        if parameter.name and _was_typed(context, parameter.name)
    }
    for job, takes in _JOBS.items():
        if job in typed and (
            strays := [typed[name] for name in typed if name not in {job, *takes}]
        ):
            raise typer.BadParameter(f"{typed[job]} does not go with {', '.join(strays)}.")


def _was_typed(context: typer.Context, name: str) -> bool:
    source = context.get_parameter_source(name)
    return source is not None and source.name == "COMMANDLINE"
