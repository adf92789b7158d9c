"""E-mail addresses and web sites."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.customers.canonical_contacts import email, emails, website


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("Ann@Example.ORG", "ann@example.org"),
        ("first.last+tag@sub.example.co.uk", "first.last+tag@sub.example.co.uk"),
        ("Ann Lee <Ann@example.org>", "ann@example.org"),
        ("mailto:ann@example.org", "ann@example.org"),
        ("ann@example.org.", "ann@example.org"),
        ("müller@example.org", "müller@example.org"),
        ("info@münchen.de", "info@münchen.de"),
        ("почта@пример.рф", "почта@пример.рф"),
        ('"odd name"@example.org', '"odd name"@example.org'),
    ],
)
def test_well_formed_addresses(text, address):
    assert email(text) == (address, True)


@pytest.mark.parametrize(
    "text",
    [
        "ann",
        "ann@",
        "@example.org",
        "a@b",
        "a@@example.org",
        "a@x..org",
        ".a@example.org",
        "a b@example.org",
        "x" * 65 + "@example.org",
    ],
)
def test_doubtful_addresses_are_kept_and_marked(text):
    assert email(text) == (text, False)


def test_several_addresses():
    assert [one[1:] for one in emails("a@example.org, B@example.org;c@example")] == [
        ("a@example.org", True),
        ("b@example.org", True),
        ("c@example", False),
    ]
    assert emails("a@b@example.org") == [("a@b@example.org", "a@b@example.org", False)]


@given(st.text(max_size=60) | st.emails())
def test_addresses_never_raise_and_stay_as_they_are(text):
    address, valid = email(text)
    assert email(address) == (address, valid) or not valid


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("HTTP://WWW.Example.ORG/", ("http://www.example.org", True)),
        ("www.Example.org/Path?Q=1", ("www.example.org/Path?Q=1", True)),
        ("example.org:8080/x", ("example.org:8080/x", True)),
        ("münchen.de", ("münchen.de", True)),
        ("no site", ("no site", False)),
        ("localhost", ("localhost", False)),
        ("javascript:alert(1)", None),
        ("data:text/html,x", None),
        ("ftp://example.org", None),
        ("mailto:a@example.org", None),
        ("http:example.org", None),
    ],
)
def test_web_sites(text, expected):
    assert website(text) == expected
