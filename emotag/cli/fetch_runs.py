"""What ``emotag fetch`` does once it is clear which of its jobs is meant."""

import os
import shlex
import shutil
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from getpass import getpass
from typing import Any

from emotag import __version__
from emotag.cli.console import notes, results, safe
from emotag.cli.fetch_progress import fetch_progress
from emotag.cli.tag_output import photos_text
from emotag.flickr.again import fetch_again
from emotag.flickr.card import CARD, FetchAccount
from emotag.flickr.client import FlickrClient
from emotag.flickr.collecting import Collector
from emotag.flickr.downloading import STATIC_URL, Downloader
from emotag.flickr.finishing import (
    MANIFEST,
    describe_photos,
    keep_account,
    kept_account,
    without_lone_groups,
    write_all,
)
from emotag.flickr.forgetting import forget_photos, keep_out, parse_photo_id
from emotag.flickr.keys import Credentials, find_credentials, store_credentials
from emotag.flickr.ledger import FetchLedger
from emotag.flickr.licences import LICENCES, Licence, choose_licences, update_licences
from emotag.flickr.manifest import read_manifest
from emotag.flickr.preparing import data_folder, filled_folder, settle_request
from emotag.flickr.quota import Quota
from emotag.flickr.request import FetchRequest
from emotag.flickr.selecting import Selection
from emotag.flickr.session import make_session, user_agent
from emotag.interrupts import on_interrupt
from emotag.storage import replace_file

__all__ = ["Plan", "estimate", "fetch_list", "fetch_search", "forget", "set_up"]

# A picture of 500 pixels takes about 110 kB; larger ones grow with their area.
_BYTES_AT_500 = 110_000
# About what the static server gives to one connection.
_SECONDS_A_PICTURE = 0.25
_SHOWN = 10

_LISTED = "listed.csv"


@dataclass(frozen=True)
class Plan:
    """What was typed, as far as it makes a request.

    Attributes
    ----------
    queries : mapping of str to str
        By label.
    licence : str or None
        Codes; None for all.
    per_label : int
        How many photos of each.
    until : int or None
        The last second of upload; None for now.
    options : mapping
        The other fields of a `FetchRequest`.
    """

    queries: Mapping[str, str]
    licence: str | None
    per_label: int
    until: int | None
    options: Mapping[str, Any]

    def request(self, known: Mapping[int, Licence]) -> FetchRequest:
        """Return the request, now that the service's licences are known."""
        licences = choose_licences(self.licence, known)
        counts = dict.fromkeys(self.queries, self.per_label)
        until = int(time.time()) if self.until is None else self.until
        return FetchRequest(
            queries=self.queries, licences=licences, counts=counts, until=until, **self.options
        )


@contextmanager
def stopping() -> Iterator[threading.Event]:
    """Give an event that ends all waiting once a person stops the run."""
    stop = threading.Event()
    with on_interrupt(stop.set):
        yield stop


def set_up() -> None:
    """Ask for a key and store it."""
    if not sys.stdin.isatty():
        key, secret = (sys.stdin.readline().strip() for _ in range(2))
    else:
        notes.print("Your key stands at https://www.flickr.com/services/apps/by/me")
        key, secret = getpass("Key (it is not shown): "), getpass("Secret: ")
    path = store_credentials(Credentials(key, secret))
    notes.print(f"Stored for you alone, in {safe(path)}. Now: emotag fetch")


def forget(folder: str, photos: Sequence[str]) -> None:
    """Remove photos everywhere, for good."""
    ids = {parse_photo_id(photo) for photo in photos}
    with filled_folder(folder) as ledger:
        removed = forget_photos(folder, ledger, sorted(ids))
    for file in removed:
        results.print(f"removed {safe(os.path.join(folder, file))}")
    verb = "is" if len(ids) == 1 else "are"
    known = "" if removed else " None was there."
    notes.print(
        f"{photos_text(len(ids))} {verb} kept out from now on.{known} Models that have learnt "
        "from them stay as they are; emotag cache clear empties the cache."
    )


def estimate(plan: Plan, *, contact: str, threads: int) -> None:
    """Print how many photos there are, and about what it takes to fetch them."""
    plan.request(LICENCES)
    with stopping() as stop, _client(contact, stop) as (client, _):
        request = plan.request(update_licences(client.licences()))
        total = pages = 0
        for label in request.queries:
            page = client.search(
                {**request.parameters(label, request.since, request.until), "per_page": 1}
            )
            wanted = min(page.total, plan.per_label)
            total += wanted
            pages += -(-wanted * 11 // 10 // request.per_page)
            results.print(f"{safe(label)}: about {page.total:,} photos, of which {wanted:,} wanted")
    disk = total * _BYTES_AT_500 * (request.size / 500) ** 2
    minutes = total * _SECONDS_A_PICTURE / threads / 60
    results.print(
        f"About {total:,} photos, {disk / 1e6:,.0f} MB, {minutes:,.0f} min, and {pages:,} or more "
        "calls of the API. Nothing was fetched."
    )


def fetch_list(manifest: str, folder: str, *, contact: str, threads: int, quiet: bool) -> bool:
    """Fetch the photos of a manifest again; return whether some failed that may be there."""
    entries = read_manifest(manifest)
    began = _now()
    user_agent(contact)
    with ExitStack() as stack:
        ledger = stack.enter_context(data_folder(folder, manifest))
        is_ours = kept_account(ledger) is not None or not os.path.exists(f"{folder}/{CARD}")
        whole = _keep_whole_list(manifest, folder)
        stop = stack.enter_context(stopping())
        watcher = stack.enter_context(fetch_progress(quiet=quiet))
        again = fetch_again(
            entries,
            _downloader(stack, folder, contact, stop),
            watcher,
            forgotten=keep_out(folder, ledger),
            threads=threads,
        )
        passed = Counter(reason for _, reason in [*again.gone, *again.failed])
        account = FetchAccount(
            command=shlex.join(["emotag", "fetch", "--from", os.path.basename(manifest)]),
            version=__version__,
            began=began,
            ended=_now(),
            queries={entry.label: entry.query for entry in entries},
            wanted=len(entries),
            found=dict(Counter(entry.label for entry in again.entries)),
            passed=dict(passed),
        )
        keep_account(ledger, account)
        entries_there = without_lone_groups(again.entries)
        write_all(folder, entries_there, account, with_card=is_ours)
    if not quiet:
        notes.print(f"{len(again.entries):,} of {photos_text(len(entries))} are in {safe(folder)}.")
        if whole and len(again.entries) < len(entries):
            notes.print(f"The whole list is kept as {safe(whole)}.")
        for what, files in (
            ("changed since", again.changed),
            ("gone", [file for file, _ in again.gone]),
            ("not fetched this time", [file for file, _ in again.failed]),
        ):
            _print_some(what, files)
    return bool(again.failed)


def fetch_search(
    plan: Plan, folder: str, *, contact: str, threads: int, update: bool, quiet: bool
) -> bool:
    """Collect photos; return whether some failed that may be there."""
    # all that can be refused is refused before anything is made
    plan.request(LICENCES)
    user_agent(contact)
    credentials = find_credentials()
    began = _now()
    with ExitStack() as stack:
        ledger = stack.enter_context(data_folder(folder))
        stop = stack.enter_context(stopping())
        client, quota = stack.enter_context(_client(contact, stop, credentials))
        known = _known_licences(ledger, client)
        request = settle_request(
            ledger, plan.request(known), folder, until_now=plan.until is None, update=update
        )
        before = set(ledger.fetched())
        began = ledger.fact("began") or began
        ledger.keep_fact("began", began)
        watcher = stack.enter_context(fetch_progress(lambda: quota.left, quiet=quiet))
        downloader = _downloader(stack, folder, contact, stop)
        collector = Collector(
            folder,
            request,
            ledger,
            client,
            downloader,
            watcher,
            forgotten=keep_out(folder, ledger),
            threads=threads,
        )
        selection = collector.collect()
        entries = describe_photos(ledger, request, selection, known, STATIC_URL)
        passed = _passed(ledger, request, selection)
        account = FetchAccount(
            command=_command(),
            version=__version__,
            began=began,
            ended=_now(),
            queries=request.queries,
            wanted=max(request.counts.values()),
            found={label: ledger.found(label) for label in request.queries},
            passed=dict(sum(passed.values(), Counter())),
        )
        keep_account(ledger, account)
        write_all(folder, entries, account)
        failed = [
            (label, photo) for label, photo, state, _ in ledger.reasons() if state == "failed"
        ]
    if not quiet:
        chosen = {(label, photo) for label, ids in selection.chosen.items() for photo in ids}
        new, total = len(chosen - before), len(chosen)
        _print_summary(request, selection, passed, account.found)
        if update and not new:
            notes.print("Each label has what was asked for; a larger --per-label takes new photos.")
        notes.print(
            f"{photos_text(total)} in {safe(folder)}, {new:,} of them new; {client.calls:,} calls "
            f"of the API. Now: emotag fit {safe(folder)}"
        )
        _print_some("not fetched this time", [f"{label}/{photo}.jpg" for label, photo in failed])
    return bool(failed)


def _known_licences(ledger: FetchLedger, client: FlickrClient) -> dict[int, Licence]:
    """Return the service's licences, asked for once."""
    said = ledger.fact("licences")
    if said is None:
        said = client.licences()
        ledger.keep_fact("licences", said)
    return update_licences(said) or dict(LICENCES)


@contextmanager
def _client(
    contact: str, stop: threading.Event, credentials: Credentials | None = None
) -> Iterator[tuple[FlickrClient, Quota]]:
    credentials = credentials or find_credentials()

    def wait(seconds: float) -> bool:
        notes.print(f"The hour's calls are used up; going on in {seconds / 60:,.0f} min …")
        return stop.wait(seconds)

    with Quota(None, credentials.key, sleep=wait) as quota:
        client = FlickrClient(credentials, quota=quota, contact=contact, stop=stop)
        with closing(client):
            yield client, quota


def _downloader(stack: ExitStack, folder: str, contact: str, stop: threading.Event) -> Downloader:
    session = make_session(user_agent(contact), stop=stop)
    stack.enter_context(closing(session))
    base = os.environ.get("EMOTAG_FLICKR_STATIC_URL") or STATIC_URL
    return Downloader(session, base.rstrip("/"), folder)


def _passed(
    ledger: FetchLedger, request: FetchRequest, selection: Selection
) -> dict[str, Counter[str]]:
    """Return why photos that were found are not in the set, by label."""
    passed = {label: ledger.passed(label) + selection.passed[label] for label in request.queries}
    for counts in passed.values():
        counts.pop("not to be had", None)
    for label, _, _, reason in ledger.reasons():
        if label in passed:
            passed[label][reason] += 1
    return passed


def _print_summary(
    request: FetchRequest,
    selection: Selection,
    passed: Mapping[str, Counter[str]],
    found: Mapping[str, int],
) -> None:
    for label, photos in selection.chosen.items():
        wanted = request.counts[label]
        notes.print(f"{safe(label)}: {len(photos):,} of {wanted:,}")
        for reason, count in passed[label].most_common():
            notes.print(f"  {count:,} left out: {safe(reason)}")
        if len(photos) < wanted:
            notes.print(
                f"  there are no more on Flickr under this query: {found[label]:,} were found",
                style="yellow",
            )


def _print_some(what: str, files: Sequence[str]) -> None:
    if files:
        notes.print(f"{len(files):,} {what}:")
        for file in files[:_SHOWN]:
            notes.print(f"  {safe(file)}")
        if len(files) > _SHOWN:
            notes.print(f"  and {len(files) - _SHOWN:,} more")


def _keep_whole_list(manifest: str, folder: str) -> str | None:
    """Keep a list that stands where the manifest goes, since some of it may be gone."""
    target, kept = os.path.join(folder, MANIFEST), os.path.join(folder, _LISTED)
    if not (os.path.exists(target) and os.path.samefile(target, manifest)):
        return None
    if not os.path.exists(kept):
        with open(manifest, "rb") as source, replace_file(kept) as copy:
            shutil.copyfileobj(source, copy)
    return kept


def _command() -> str:
    """Return what was typed, without whom to ask: the card is for everyone."""
    words = iter(sys.argv[1:])
    kept = []
    for word in words:
        if word == "--contact":
            next(words, None)
        elif not word.startswith("--contact="):
            kept.append(word)
    return shlex.join(["emotag", *kept])


def _now() -> str:
    return datetime.fromtimestamp(time.time(), UTC).isoformat(timespec="seconds")
