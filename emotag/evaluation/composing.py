"""A whole evaluation written: figures, tables and what may be concluded, in one folder."""

import os

from emotag.errors import StorageError
from emotag.evaluation.drawing import save_figure
from emotag.evaluation.findings import Evaluation
from emotag.evaluation.findings_files import NUMBERS, files_of
from emotag.evaluation.findings_page import draw_pictures, page_of
from emotag.evaluation.page import write_report
from emotag.storage import refuse_existing, refuse_unwritable, replace_folder

__all__ = ["PAGE", "refuse_folder", "write_evaluation"]

PAGE = "report.html"
_OURS = {
    PAGE,
    NUMBERS,
    "figures",
    "metrics.csv",
    "predictions.csv",
    "leaks.csv",
    "unreadable.csv",
}


def refuse_folder(folder: str, *, force: bool) -> None:
    """Refuse at once a folder that a report cannot take the place of.

    Raises
    ------
    StorageError
        It exists and `force` is false, holds anything but a report, or cannot be made.
    """
    refuse_existing(folder, force=force)
    if os.path.lexists(folder):
        names = set(os.listdir(folder)) if os.path.isdir(folder) else set()
        if not {PAGE, NUMBERS} <= names or names - _OURS:
            raise StorageError(
                f"{folder} holds something else than a report, which would be lost; choose another "
                "name with --out."
            )
    refuse_unwritable(folder)


def write_evaluation(
    folder: str, evaluation: Evaluation, *, force: bool = False, publication: bool = False
) -> None:
    """Write the page, the figures and the numbers into a folder that appears whole.

    Parameters
    ----------
    folder : str
        The folder to be.
    evaluation : Evaluation
        What was found.
    force : bool, default=False
        Whether a folder that is there is replaced.
    publication : bool, default=False
        Whether photos are left out whose licence forbids what a page may do with them.

    Raises
    ------
    StorageError
        It exists, or cannot be written.
    """
    refuse_folder(folder, force=force)
    pictures = draw_pictures(evaluation)
    with replace_folder(folder, force=force) as beside:
        figures = os.path.join(beside, "figures")
        os.mkdir(figures)
        for name, (picture, _, _) in pictures.items():
            save_figure(picture, figures, name)
        for name, text in files_of(evaluation).items():
            # what is no text, such as a name in another encoding, is escaped; JSON reads it so
            with open(
                os.path.join(beside, name),
                "w",
                encoding="utf-8",
                errors="backslashreplace",
                newline="",
            ) as file:
                file.write(text)
        content = page_of(evaluation, pictures)
        # it is beside where it will be, so that links to photos lead as far
        write_report(os.path.join(beside, PAGE), content, publication=publication)
