"""The classes of ImageNet, found by number and by any name."""

from __future__ import annotations

import pytest

from stream_dream.errors import NetworkError
from stream_dream.networks.imagenet import class_name, class_number

KNOWN = {
    0: "tench",
    207: "golden retriever",
    281: "tabby",
    282: "tiger cat",
    283: "Persian cat",
    284: "Siamese cat",
    285: "Egyptian cat",
    388: "giant panda",
    954: "banana",
    999: "toilet tissue",
}


def test_the_order_is_that_of_the_networks() -> None:
    assert {number: class_name(number) for number in KNOWN} == KNOWN


def test_every_first_name_leads_back_to_its_class_unless_two_share_it() -> None:
    unclear = set()
    for number in range(1000):
        try:
            assert class_number(class_name(number)) == number
        except NetworkError:
            unclear.add(number)
    assert unclear == {134, 517, 264, 474, 638, 639}


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("281", 281),
        (" 0 ", 0),
        ("999", 999),
        ("tabby", 281),
        ("Tabby_Cat", 281),
        ("tabby-cat", 281),
        ("  TABBY   cat ", 281),
        ("toilet paper", 999),
        ("Tinca tinca", 0),
        ("jack o lantern", 607),
        ("Jack-o\u2019-Lantern", 607),
        ("tree frog", 31),
        ("St Bernard", 247),
        ("Cardigan Welsh corgi", 264),
        ("tank suit", 639),
        ("harp", 594),  # the harmonica has this name, too
    ],
)
def test_numbers_and_names(text: str, number: int) -> None:
    assert class_number(text) == number


def refused(text: str) -> str:
    with pytest.raises(NetworkError) as caught:
        class_number(text)
    assert caught.value.exit_code == 2
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize(
    ("text", "numbers"),
    [
        ("crane", ["134 (crane, the bird)", "517 (crane, the machine)"]),
        ("Maillot", ["638 (maillot, tights)", "639 (maillot, the swimsuit)"]),
        ("cardigan", ["264 (Cardigan, the dog)", "474 (cardigan, the jacket)"]),
        ("panda", ["387 (lesser panda)", "388 (giant panda)"]),
    ],
)
def test_a_shared_name_is_refused_with_the_numbers(text: str, numbers: list[str]) -> None:
    assert refused(text).endswith(f"give {' or '.join(numbers)}")


@pytest.mark.parametrize(
    ("text", "advice"),
    [
        ("tabby kat", "tabby cat"),
        ("Golden Retreiver", "golden retriever"),
        ("cat", "tabby cat"),  # no class has this name, but names contain the word
        ("qqqqqq", "such as 'tabby cat'"),
        ("", "such as 'tabby cat'"),
        ("1000", "choose 0 to 999"),
        ("-1", "choose 0 to 999"),
        ("9" * 5000, "choose 0 to 999"),
    ],
)
def test_unknown_classes_are_refused_with_advice(text: str, advice: str) -> None:
    assert advice in refused(text)


@pytest.mark.parametrize("number", [-1, 1000])
def test_numbers_out_of_range_are_refused(number: int) -> None:
    with pytest.raises(NetworkError, match="choose 0 to 999"):
        class_name(number)
