"""A policy is kept as plain values, and comes back no laxer than it was."""

import json
import pickle
from typing import Any

import pytest

from firellava.errors import ConfigurationError, UnsafeURL
from firellava.images.fetch_policy import FetchPolicy, check_url, matches_host

POLICIES = [
    FetchPolicy(),
    FetchPolicy(allowed_hosts=()),
    FetchPolicy(1.5, 10, 0, ["b.example", "a.example"], allow_http=True, allow_private=True),
]


@pytest.mark.parametrize("policy", POLICIES)
def test_it_comes_back_from_plain_values_and_from_a_pickle(policy: FetchPolicy) -> None:
    assert FetchPolicy(**json.loads(json.dumps(policy.as_dict()))) == policy
    assert pickle.loads(pickle.dumps(policy)) == policy  # noqa: S301 - pickled on this line
    assert hash(FetchPolicy(**policy.as_dict())) == hash(policy)


def test_plain_values_say_everything_so_that_other_defaults_change_nothing() -> None:
    assert FetchPolicy().as_dict() == {
        "seconds": 10.0,
        "max_bytes": 20_000_000,
        "max_redirects": 5,
        "allowed_hosts": None,
        "allow_http": False,
        "allow_private": False,
    }
    assert POLICIES[2].as_dict()["allowed_hosts"] == ["a.example", "b.example"]


def test_no_hosts_are_not_all_hosts() -> None:
    with pytest.raises(UnsafeURL):
        check_url("https://example.com/cat.png", FetchPolicy(**FetchPolicy(allowed_hosts=set()).as_dict()))


@pytest.mark.parametrize(
    "wrong",
    [
        {"allow_private": "no"},
        {"allow_http": 1},
        {"allowed_hosts": "example.com"},
        {"allowed_hosts": [b"example.com"]},
    ],
)
def test_what_could_be_taken_for_something_laxer_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError, match=next(iter(wrong))):
        FetchPolicy(**wrong)


@pytest.mark.parametrize(
    ("host", "allowed", "matches"),
    [
        ("example.com", {"example.com"}, True),
        ("img.example.com", {"example.com"}, False),
        ("img.example.com", {"*.example.com"}, True),
        ("a.b.example.com", {"*.example.com"}, True),
        ("example.com", {"*.example.com"}, False),
        ("badexample.com", {"*.example.com"}, False),
        ("example.com.evil.test", {"*.example.com", "example.com"}, False),
        ("example.com", {"other.test", "example.com"}, True),
        ("example.com", set(), False),
    ],
)
def test_a_host_matches_its_name_or_what_its_name_ends_in(
    host: str, allowed: set[str], *, matches: bool
) -> None:
    assert matches_host(host, allowed) is matches


@pytest.mark.parametrize(
    ("own", "others", "both"),
    [
        (None, {"a.test", "*.b.test"}, {"a.test", "*.b.test"}),
        ({"a.test", "b.test"}, {"b.test", "c.test"}, {"b.test"}),
        ({"*.a.test"}, {"x.a.test", "a.test"}, {"x.a.test"}),
        ({"x.a.test"}, {"*.a.test"}, {"x.a.test"}),
        ({"*.a.test"}, {"*.x.a.test"}, {"*.x.a.test"}),
        ({"*.a.test"}, {"*.b.test"}, set()),
        (None, set(), set()),
    ],
)
def test_a_narrowed_policy_allows_what_both_allow(
    own: set[str] | None, others: set[str], both: set[str]
) -> None:
    narrowed = FetchPolicy(seconds=3, allowed_hosts=own, allow_http=True).narrowed_to(others)
    assert narrowed == FetchPolicy(seconds=3, allowed_hosts=both, allow_http=True)


def test_names_below_a_host_may_be_downloaded_from() -> None:
    policy = FetchPolicy(allowed_hosts={"*.example.com"})
    assert check_url("https://img.example.com./cat.png", policy).host == "img.example.com."
    with pytest.raises(UnsafeURL):
        check_url("https://example.com/cat.png", policy)
