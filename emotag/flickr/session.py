"""The session through which all of emotag's requests to Flickr go."""

import random
import threading
from collections.abc import Callable
from http.cookiejar import DefaultCookiePolicy

import requests
from requests import PreparedRequest, Response

from emotag import __version__
from emotag.errors import FetchError
from emotag.flickr.transport import Patience, PatientAdapter

__all__ = ["PatientSession", "make_session", "user_agent"]


class PatientSession(requests.Session):
    """A session for several threads: patient, without cookies, and following no redirect.

    Proxies are those of the environment; passwords in ``.netrc`` are left there.

    Parameters
    ----------
    agent : str
        As `user_agent` returns it.
    adapter : PatientAdapter
        Sends all requests.
    """

    def __init__(self, agent: str, adapter: PatientAdapter) -> None:
        super().__init__()
        self.adapter = adapter
        self.mount("https://", adapter)
        self.mount("http://", adapter)
        self.headers["User-Agent"] = agent
        # with something here, requests does not look into .netrc
        self.auth = _add_nothing
        self.cookies.set_policy(DefaultCookiePolicy(allowed_domains=()))

    def get_redirect_target(self, resp: Response) -> None:  # noqa: ARG002
        """Return None, so that nothing is sent to where an answer points."""
        return


def make_session(
    agent: str,
    *,
    patience: Patience | None = None,
    before_try: Callable[[PreparedRequest], object] | None = None,
    stop: threading.Event | None = None,
    generator: random.Random | None = None,
) -> PatientSession:
    """Return a session whose requests go through a `PatientAdapter` with these arguments."""
    adapter = PatientAdapter(patience, before_try=before_try, stop=stop, generator=generator)
    return PatientSession(agent, adapter)


def user_agent(contact: str = "") -> str:
    """Return how emotag names itself to servers.

    Parameters
    ----------
    contact : str, optional
        Of who runs it, for the people behind the server: a mail address, or a page.

    Raises
    ------
    FetchError
        The contact has characters that no header may hold.

    Examples
    --------
    >>> user_agent("photos@example.org").partition("/")[0]
    'emotag'
    >>> user_agent("photos@example.org").partition(" ")[2]
    '(+photos@example.org)'
    """
    contact = contact.strip()
    if not (contact.isascii() and contact.isprintable()) or set(contact) & set("()"):
        raise FetchError(
            f"The contact {contact!r} cannot be sent; give a mail address or the address of a "
            "page, in plain ASCII."
        )
    return f"emotag/{__version__} (+{contact})" if contact else f"emotag/{__version__}"


def _add_nothing(request: PreparedRequest) -> PreparedRequest:
    return request
