"""The Flickr of the tests as a process of its own, for `fetching.py` to fetch from.

It prints what to set in the environment, as a line of JSON; and once its input
ends, another with what was asked of it.
"""

import argparse
import json
import sys
from dataclasses import replace

from tests.flickr.service import (
    KEY,
    SECRET,
    Faults,
    PublicPhoto,
    make_photos,
    passing_faults,
    serve_flickr,
)

QUERIES = ("love", "happiness", "violence", "fear", "sad")

# Pictures of a label before they repeat: few enough for all to be kept once they are drawn.
_PICTURES = 200


def main() -> None:
    """Serve until the input ends."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--per-label", type=int, default=400, help="how many photos")
    parser.add_argument("--latency", type=float, default=0.0, help="seconds before each answer")
    parser.add_argument("--faults", action="store_true", help="let things go wrong that pass")
    options = parser.parse_args()
    photos = [photo for query in QUERIES for photo in _make_photos(query, options.per_label)]
    for photo in photos:
        # drawn now, and not while it is waited for
        photo.jpeg("")
    # calls are few, so that more of them have to go wrong
    faults = Faults(api=passing_faults(2).api, static=passing_faults().static)
    with serve_flickr(
        photos,
        secret=SECRET,
        faults=faults if options.faults else None,
        latency=options.latency,
    ) as flickr:
        _say(
            EMOTAG_FLICKR_API_URL=flickr.api_url,
            EMOTAG_FLICKR_STATIC_URL=flickr.static_url,
            FLICKR_API_KEY=KEY,
            FLICKR_API_SECRET=SECRET,
        )
        sys.stdin.read()
        _say(
            calls=len(flickr.calls),
            pictures=len(flickr.static_requests),
            faults=flickr.faults.injected.total(),
        )


def _make_photos(query: str, count: int) -> list[PublicPhoto]:
    return [
        replace(photo, picture=index % _PICTURES)
        for index, photo in enumerate(make_photos(query, count))
    ]


def _say(**said: str | int) -> None:
    print(json.dumps(said), flush=True)


if __name__ == "__main__":
    main()
