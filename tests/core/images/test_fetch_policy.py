"""A policy is kept as plain values, and comes back no laxer than it was."""

import json
import pickle
from typing import Any

import pytest

from firellava.errors import ConfigurationError, UnsafeURL
from firellava.images.fetch_policy import FetchPolicy, check_url

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
