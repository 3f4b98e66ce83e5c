"""A logged-in request takes no more instructions than it did."""

import json

import pytest

from bench import instructions


@pytest.mark.bench
def test_no_page_takes_a_tenth_more_than_is_kept():
    kept = json.loads(instructions.BASELINE.read_text())
    found = instructions.count()
    instructions.show(found)
    assert instructions.over(found, kept) == []


def test_what_is_over_is_told():
    found = {"keep-alive": {"open": 1000, "basic": 1200, "signed": 1300, "server": 1400}}
    assert instructions.over(found, {"keep-alive": {"signed": 1.19, "server": 1.18}}) == [
        "server (keep-alive): 1.4 of an open page, 1.18 is kept"]
    assert instructions.over(found, {"keep-alive": {"signed": 1.17, "server": 1.4}}) == [
        "signed (keep-alive): 1.3 of an open page, 1.17 is kept"]
