"""Which licences photos are collected under, and how they are named."""

import re
from typing import Any

import pytest

from emotag.errors import DataError
from emotag.flickr.licences import LICENCES, Licence, choose_licences, update_licences

CREATIVE_COMMONS = "https://creativecommons.org/licenses/"

# As the service worded it in 2023 (the names have changed since, the addresses have not).
OLD_ANSWER = [
    ("0", "All Rights Reserved", ""),
    ("4", "Attribution License", f"{CREATIVE_COMMONS}by/2.0/"),
    ("6", "Attribution-NoDerivs License", f"{CREATIVE_COMMONS}by-nd/2.0/"),
    ("3", "Attribution-NonCommercial-NoDerivs License", f"{CREATIVE_COMMONS}by-nc-nd/2.0/"),
    ("2", "Attribution-NonCommercial License", f"{CREATIVE_COMMONS}by-nc/2.0/"),
    ("1", "Attribution-NonCommercial-ShareAlike License", f"{CREATIVE_COMMONS}by-nc-sa/2.0/"),
    ("5", "Attribution-ShareAlike License", f"{CREATIVE_COMMONS}by-sa/2.0/"),
    ("7", "No known copyright restrictions", "https://www.flickr.com/commons/usage/"),
    ("8", "United States Government Work", "http://www.usa.gov/copyright.shtml"),
    (
        "9",
        "Public Domain Dedication (CC0)",
        "https://creativecommons.org/publicdomain/zero/1.0/",
    ),
    ("10", "Public Domain Mark", "https://creativecommons.org/publicdomain/mark/1.0/"),
]


def answer(*entries: tuple[Any, Any, Any]) -> list[dict[str, Any]]:
    return [{"id": number, "name": name, "url": url} for number, name, url in entries]


class TestTable:
    def test_it_holds_all_that_may_be_used_and_nothing_else(self) -> None:
        assert list(LICENCES) == list(range(1, 17))
        assert all(number == licence.id for number, licence in LICENCES.items())

    @pytest.mark.parametrize(
        ("number", "name", "url"),
        [
            (1, "CC BY-NC-SA 2.0", f"{CREATIVE_COMMONS}by-nc-sa/2.0/"),
            (4, "CC BY 2.0", f"{CREATIVE_COMMONS}by/2.0/"),
            (9, "CC0 1.0", "https://creativecommons.org/publicdomain/zero/1.0/"),
            (10, "Public Domain Mark 1.0", "https://creativecommons.org/publicdomain/mark/1.0/"),
            (11, "CC BY 4.0", f"{CREATIVE_COMMONS}by/4.0/"),
            (16, "CC BY-NC-ND 4.0", f"{CREATIVE_COMMONS}by-nc-nd/4.0/"),
        ],
    )
    def test_names_and_addresses_are_as_cited(self, number: int, name: str, url: str) -> None:
        assert (LICENCES[number].name, LICENCES[number].url) == (name, url)

    def test_what_they_ask_is_known(self) -> None:
        commercial = {number for number in LICENCES if not LICENCES[number].non_commercial}
        changeable = {number for number in LICENCES if not LICENCES[number].no_derivatives}
        assert commercial == {4, 5, 6, 7, 8, 9, 10, 11, 12, 13}
        assert changeable == {1, 2, 4, 5, 7, 8, 9, 10, 11, 12, 14, 15}


class TestChoosing:
    def test_none_means_all(self) -> None:
        assert choose_licences(None) == tuple(range(1, 17))

    @pytest.mark.parametrize(
        ("text", "numbers"),
        [
            ("by", (4, 11)),
            ("by,by-sa,cc0", (4, 5, 9, 11, 12)),
            ("by-2.0", (4,)),
            ("by-nc-nd-4.0, by", (4, 11, 16)),
            ("CC-BY-SA-4.0", (12,)),
            ("cc0", (9,)),
            ("cc0-1.0,pdm", (9, 10)),
            ("no-known-restrictions,us-government", (7, 8)),
            (" by , , by", (4, 11)),
        ],
    )
    def test_codes_are_taken_with_and_without_a_version(
        self, text: str, numbers: tuple[int, ...]
    ) -> None:
        assert choose_licences(text) == numbers

    def test_every_code_finds_its_licence(self) -> None:
        for number, licence in LICENCES.items():
            assert choose_licences(licence.exact_code) == (number,)
            assert number in choose_licences(licence.code)

    def test_an_unknown_one_is_named_with_the_choices(self) -> None:
        message = (
            "Unknown licence 'by-as'; choose from by-nc-sa, by-nc, by-nc-nd, by, by-sa, by-nd, "
            "no-known-restrictions, us-government, cc0, pdm. Did you mean 'by-sa'?"
        )
        with pytest.raises(DataError, match=f"^{re.escape(message)}$"):
            choose_licences("by,by-as")

    @pytest.mark.parametrize("text", ["0", "all-rights-reserved", "by-3.0", "by/2.0"])
    def test_what_is_not_offered_is_unknown(self, text: str) -> None:
        with pytest.raises(DataError, match="Unknown licence"):
            choose_licences(text)

    @pytest.mark.parametrize("text", ["", " ", ","])
    def test_naming_none_is_refused(self, text: str) -> None:
        with pytest.raises(DataError, match=r"^No licence is named; choose from by-nc-sa, by-nc,"):
            choose_licences(text)

    def test_what_the_service_has_now_can_be_chosen_from(self) -> None:
        known = update_licences(answer(("17", "CC BY 5.0", f"{CREATIVE_COMMONS}by/5.0/")))
        assert choose_licences("by", known) == (4, 11, 17)
        assert choose_licences("by-5.0", known) == (17,)


class TestUpdating:
    def test_an_empty_answer_leaves_the_table(self) -> None:
        assert update_licences([]) == LICENCES

    def test_other_names_for_the_same_licences_change_nothing(self) -> None:
        assert update_licences(answer(*OLD_ANSWER)) == LICENCES

    def test_numbers_that_mean_something_else_now_are_followed(self) -> None:
        found = update_licences(answer((11, "Any", f"{CREATIVE_COMMONS}by-nc-sa/4.0/deed.en")))
        assert found[11] == Licence(
            11, "by-nc-sa", "CC BY-NC-SA 4.0", "4.0", f"{CREATIVE_COMMONS}by-nc-sa/4.0/"
        )

    @pytest.mark.parametrize(
        ("url", "code"),
        [
            (f"{CREATIVE_COMMONS}by-nc/5.0/", "by-nc"),
            ("http://www.creativecommons.org/licenses/by-nd/5.0", "by-nd"),
            ("https://creativecommons.org/publicdomain/zero/2.0/", "cc0"),
        ],
    )
    def test_a_new_number_is_taken_by_its_address(self, url: str, code: str) -> None:
        assert update_licences(answer(("21", "A new one", url)))[21].code == code

    @pytest.mark.parametrize(
        ("name", "url"),
        [
            ("A new one", "https://example.org/licenses/by/4.0/"),
            ("A new one", "https://creativecommons.org.example.org/licenses/by/4.0/"),
            ("A new one", f"https://example.org/?{CREATIVE_COMMONS}by/4.0/"),
            ("A new one", f"{CREATIVE_COMMONS}by-nc-sa-nd/4.0/"),
            ("A new one", ""),
            ("All Rights Reserved", f"{CREATIVE_COMMONS}by/4.0/"),
            (None, None),
        ],
    )
    def test_a_new_number_of_another_kind_is_not(self, name: Any, url: Any) -> None:
        assert update_licences(answer(("21", name, url))) == LICENCES

    @pytest.mark.parametrize(
        ("number", "name", "url"),
        [
            ("4", "All rights reserved", ""),
            ("4", "Attribution", "https://example.org/"),
            ("7", "All rights reserved (museums)", "https://www.flickr.com/commons/usage/"),
        ],
    )
    def test_a_number_that_is_free_no_more_is_left_out(
        self, number: str, name: str, url: str
    ) -> None:
        assert int(number) not in update_licences(answer((number, name, url)))

    @pytest.mark.parametrize("number", ["0", 0, "", None, "x", "-1", "1.5", True, [], "٤"])
    def test_what_is_no_number_is_passed_over(self, number: Any) -> None:
        assert update_licences(answer((number, "CC", f"{CREATIVE_COMMONS}by/9.0/"))) == LICENCES

    def test_fields_that_are_missing_are_passed_over(self) -> None:
        assert update_licences([{}, {"id": "4"}]) == LICENCES
