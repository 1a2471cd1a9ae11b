"""What someone would write without emotag, for `fetching.py` to be measured beside.

Searches by page, and fetches one picture after the other over one connection.

    python -m tests.benchmarks.fetching_loop PER_LABEL FOLDER
"""

import os
import sys
from collections.abc import Iterator
from typing import Any

import requests

QUERIES = {
    "love": "love",
    "happiness": "happiness",
    "violence": "violence",
    "fear": "fear",
    "sadness": "sad",
}


def main() -> None:
    """Search by page, and fetch one picture after the other."""
    per_label, folder = int(sys.argv[1]), sys.argv[2]
    static_url = os.environ["EMOTAG_FLICKR_STATIC_URL"]
    with requests.Session() as session:
        for label, query in QUERIES.items():
            os.makedirs(os.path.join(folder, label))
            for record in _search(session, query, per_label):
                name = f"{record['server']}/{record['id']}_{record['secret']}.jpg"
                answer = session.get(f"{static_url}/{name}", timeout=60)
                answer.raise_for_status()
                with open(os.path.join(folder, label, f"{record['id']}.jpg"), "wb") as file:
                    file.write(answer.content)


def _search(session: requests.Session, query: str, count: int) -> Iterator[dict[str, Any]]:
    parameters: dict[str, str | int] = {
        "method": "flickr.photos.search",
        "api_key": os.environ["FLICKR_API_KEY"],
        "text": query,
        "license": ",".join(map(str, range(1, 17))),
        "sort": "interestingness-desc",
        "per_page": 500,
        "format": "json",
        "nojsoncallback": 1,
    }
    page = 0
    while count > 0:
        page += 1
        answer = session.get(
            os.environ["EMOTAG_FLICKR_API_URL"], params={**parameters, "page": page}, timeout=60
        )
        records = answer.json()["photos"]["photo"][:count]
        yield from records
        count -= len(records)


if __name__ == "__main__":
    main()
