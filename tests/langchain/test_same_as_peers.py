"""The same conversations, sent by this package and by the two others that speak this API's format.

What arrives at the server must mean the same, or each place in which it differs is explained by a reason in
`tests.langchain.differences`. A difference that no reason explains fails, and so does a reason that explains
nothing.
"""

from collections.abc import Callable, Iterator
from functools import cache
from typing import get_args

import pytest
from langchain_core.language_models import BaseChatModel
from langchain_fireworks import ChatFireworks
from langchain_openai import ChatOpenAI
from pydantic import SecretStr

from langchain_firellava import ChatFireLLaVA
from tests.api_server import ApiServer
from tests.langchain.differences import DIFFERENCES, Difference, Peer, is_of_kind
from tests.langchain.histories import HISTORIES
from tests.langchain.request_bodies import Sent, differences, send

pytestmark = pytest.mark.filterwarnings(
    # Said of a file that is refused or read as an image.
    "ignore:OpenAI may require a filename for file uploads:UserWarning"
)

PEERS: tuple[Peer, ...] = get_args(Peer)
Sending = Callable[[str, str], Sent]


@pytest.fixture(scope="module")
def sent() -> Iterator[Sending]:
    """What becomes of a history, by its name, with a package; each is sent once."""
    with ApiServer() as server:

        @cache
        def model(package: str, name: str) -> BaseChatModel:
            key = SecretStr(server.key)
            if package == "langchain-openai":
                return ChatOpenAI(model=name, api_key=key, base_url=server.base_url, max_retries=0)
            if package == "langchain-fireworks":
                # Its SDK adds the version to the path.
                base_url = server.base_url.removesuffix("/v1")
                return ChatFireworks(model_name=name, api_key=key, base_url=base_url, max_retries=0)
            return ChatFireLLaVA(model=name, api_key=key, base_url=server.base_url, max_retries=0)

        @cache
        def of(package: str, history: str) -> Sent:
            return send(HISTORIES[history], model(package, HISTORIES[history].model), server)

        yield of


def _changes(sent: Sending, peer: Peer, history: str) -> list[str]:
    return differences(sent("firellava", history), sent(peer, history))


@pytest.mark.parametrize("peer", PEERS)
@pytest.mark.parametrize("history", HISTORIES)
def test_the_request_means_the_same_or_a_reason_is_listed(sent: Sending, history: str, peer: Peer) -> None:
    reasons = [reason for reason in DIFFERENCES if history in reason.histories(peer)]
    changes = _changes(sent, peer, history)
    assert [change for change in changes if not any(r.explains(change) for r in reasons)] == []
    assert [r.reason for r in reasons if not any(map(r.explains, changes))] == []


@pytest.mark.parametrize("difference", DIFFERENCES, ids=lambda difference: difference.reason)
def test_a_reason_shows_in_all_it_says(sent: Sending, difference: Difference) -> None:
    changes = {
        change
        for peer in PEERS
        for history in difference.histories(peer)
        for change in _changes(sent, peer, history)
    }
    unseen = [one for one in difference.changes if not any(is_of_kind(change, one) for change in changes)]
    assert unseen == []


@pytest.mark.parametrize("history", HISTORIES)
def test_the_api_refuses_nothing_of_ours(sent: Sending, history: str) -> None:
    assert sent("firellava", history).outcome != "refused"


def test_the_table_names_no_history_twice_and_none_that_is_not_there() -> None:
    for difference in DIFFERENCES:
        for peer in PEERS:
            listed = difference.histories(peer)
            assert len(set(listed)) == len(listed)
            assert set(listed) <= HISTORIES.keys()
