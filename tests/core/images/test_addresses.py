"""Which addresses an image may be downloaded from, and which hosts are addresses."""

from ipaddress import IPv6Address, ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firellava.images.addresses import Address, literal_address, why_refused


def table(text: str) -> list[str]:
    """The words of a text."""
    return text.split()


PUBLIC = table("""
    1.1.1.1  8.8.8.8  9.255.255.255  11.0.0.1  93.184.216.34  100.63.255.255  100.128.0.1  126.255.255.255
    128.0.0.1  151.101.1.140  168.63.129.15  169.253.255.255  169.255.0.1  172.15.255.255  172.32.0.1
    192.0.1.1  192.167.255.255  192.169.0.1  198.17.255.255  198.20.0.1  223.255.255.255
    2606:4700:4700::1111  2001:4860:4860::8888  2a00:1450:4001:80b::200e  2400:cb00:2048:1::c629:d7a2
    2001:200::1  2003::1  3ffe:ffff::1
    ::ffff:8.8.8.8  ::ffff:5db8:d822  64:ff9b::8.8.8.8  64:ff9b::5db8:d822
""")

PRIVATE = table("""
    127.0.0.1  127.1.2.3  127.255.255.255  ::1
    10.0.0.1  10.255.255.255  172.16.0.1  172.31.255.255  192.168.0.1  192.168.255.255
    100.64.0.1  100.127.255.255
    fc00::1  fd12:3456:789a::1  fdff:ffff::1
    ::ffff:127.0.0.1  ::ffff:10.1.2.3  ::ffff:c0a8:1  ::ffff:100.64.0.1
    64:ff9b::127.0.0.1  64:ff9b::10.0.0.1  64:ff9b::c0a8:101
""")

NEVER = table("""
    169.254.169.254  169.254.170.2  169.254.0.1  168.63.129.16  100.100.100.200  192.0.0.192
    fd00:ec2::254  fd00:ec2::23  fd20:ce::254  fd00:c1::a9fe:a9fe  fd00:42::42  fd00:a9fe:a9fe::1
    fe80::1  fe80::a9fe:a9fe  febf::1  fec0::1  2606:4700::1%eth0  fe80::1%1
    ::ffff:169.254.169.254  ::ffff:a83f:8110  64:ff9b::169.254.169.254  64:ff9b::a83f:8110  ::ffff:0.0.0.0
    0.0.0.0  0.1.2.3  ::  255.255.255.255  240.0.0.1  224.0.0.1  239.255.255.250  ff02::1  ff0e::1
    192.0.0.1  192.0.0.170  192.0.2.1  198.51.100.7  203.0.113.9  2001:db8::1  3fff::1  3fff:fff::1
    198.18.0.1  198.19.255.255  2001:2::1  192.88.99.1  192.31.196.1  192.52.193.1  192.175.48.1
    2620:4f:8000::1  2001:10::1  2001:20::1  100::1  5f00::1  4000::1  fe00::1  fd00:100::100:200  255.0.0.1
    ::8.8.8.8  ::127.0.0.1  ::169.254.169.254  ::ffff:0:8.8.8.8  ::ffff:0:127.0.0.1
    2002:7f00:1::  2002:a9fe:a9fe::1  2002:808:808::1  2002:a00:1::1
    2001::1  2001:0:4136:e378:8000:63bf:3fff:fdd2  2001:0:a9fe:a9fe::f5ff:fffe
    64:ff9b:1::7f00:1  64:ff9b:1::a9fe:a9fe  64:ff9b:1::808:808  64:ff9b:1:7f00:0:100::
    2606:4700::5efe:7f00:1  2606:4700::5efe:808:808  2606:4700::200:5efe:a9fe:a9fe  fd00::5efe:a9fe:a9fe
    fe80::5efe:10.0.0.1
""")


def test_the_table_is_large_and_has_no_entry_twice() -> None:
    table = PUBLIC + PRIVATE + NEVER
    assert len(table) == len(set(table)) >= 130


@pytest.mark.parametrize("address", PUBLIC)
def test_a_public_address_may_be_dialled(address: str) -> None:
    assert why_refused(ip_address(address)) is None
    assert why_refused(ip_address(address), allow_private=True) is None


@pytest.mark.parametrize("address", PRIVATE)
def test_a_private_address_may_be_dialled_only_on_request(address: str) -> None:
    assert why_refused(ip_address(address))
    assert why_refused(ip_address(address), allow_private=True) is None


@pytest.mark.parametrize("address", NEVER)
def test_these_addresses_are_never_dialled(address: str) -> None:
    assert why_refused(ip_address(address))
    assert why_refused(ip_address(address), allow_private=True)


@given(st.ip_addresses())
def test_whatever_passes_is_global_by_the_standard_library_too(address: Address) -> None:
    if why_refused(address) is None:
        judged = address
        if isinstance(address, IPv6Address):
            judged = address.ipv4_mapped or address
        assert judged.is_global
        assert not judged.is_multicast


@given(st.ip_addresses(v=4))
def test_an_address_is_judged_alike_mapped_and_translated(address: Address) -> None:
    verdict = why_refused(address)
    assert why_refused(IPv6Address(f"::ffff:{address}")) == verdict
    assert why_refused(IPv6Address(f"64:ff9b::{address}")) == verdict


@given(st.ip_addresses(v=4))
def test_no_address_gets_through_inside_a_tunnel(address: Address) -> None:
    high, low = f"{int(address) >> 16:x}", f"{int(address) & 0xFFFF:x}"
    for tunnel in (f"2002:{high}:{low}::1", f"2001:0:{high}:{low}::1", f"2606:4700::5efe:{high}:{low}"):
        assert why_refused(IPv6Address(tunnel), allow_private=True)


@pytest.mark.parametrize(
    "host", ["example.com", "1.example", "0x7f.example", "x.127.0.0.1.nip.example", "a1"]
)
def test_a_name_is_no_address(host: str) -> None:
    assert literal_address(host) is None


@pytest.mark.parametrize("host", ["127.0.0.1", "8.8.8.8", "::1", "::ffff:127.0.0.1", "2606:4700::1111"])
def test_an_address_in_the_usual_notation_is_that_address(host: str) -> None:
    assert literal_address(host) == ip_address(host)


@pytest.mark.parametrize(
    "host",
    table("""
    2130706433  0x7f000001  0x7f.0.0.1  0x7f.1  127.1  127.0.1  0177.0.0.1  0177.1  017700000001  0
    127.0.0.01  127.0.0.0x1  127.0.0.1.  256.1.1.1  1.2.3.4.5  99999999999  0x  example.0x7f  example.com.1
    3232235521  0xa9fea9fe  2852039166  0251.0376.0251.0376  ::127.0.0  fe80::1%25eth0%1  1:2
    """),
)
def test_a_number_in_another_notation_is_refused(host: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        literal_address(host)
