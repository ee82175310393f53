"""Where to connect is decided once, and the secret shows nowhere."""

from __future__ import annotations

import math
import pickle
from pathlib import Path

import pytest

from hnbulk.errors import AccessRefused, UsageError
from hnbulk.settings import (
    MOST_CONNECTIONS,
    MOST_SETTLE,
    REAL_PACE,
    SANDBOX_PACE,
    SERVICE_URL,
    CallLimits,
    Pace,
    check_base_url,
    is_loopback,
    pace_for,
    read_settings,
)

ACCOUNT = "AC" + "a" * 32
SECRET = "hnCANARY0123456789"


@pytest.fixture(autouse=True)
def _bare(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("TWILIO_ACCOUNT_SID", "TWILIO_AUTH_TOKEN", "TWILIO_API_KEY", "TWILIO_API_SECRET"):
        monkeypatch.delenv(name, raising=False)
    for name in ("HNBULK_BASE_URL", "HNBULK_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize(
    ("url", "checked"),
    [
        (SERVICE_URL, SERVICE_URL),
        ("https://PREVIEW.twilio.com/", "https://preview.twilio.com"),
        ("https://numbers.twilio.com:443", "https://numbers.twilio.com:443"),
        ("http://127.0.0.1:8080/", "http://127.0.0.1:8080"),
        ("http://localhost:1", "http://localhost:1"),
        ("https://127.9.9.9", "https://127.9.9.9"),
        ("http://[::1]:8080", "http://[::1]:8080"),
    ],
)
def test_the_service_and_this_machine_are_allowed(url: str, checked: str) -> None:
    """As scheme, host and port."""
    assert check_base_url(url) == checked


@pytest.mark.parametrize(
    "url",
    [
        "",
        "127.0.0.1:8080",
        "http://preview.twilio.com",
        "https://preview.twilio.com:8443",
        "https://preview.twilio.com.",
        "https://api.twilio.com",
        "https://twilio.com",
        "https://preview.twilio.com.evil.example",
        "https://evil-preview.twilio.com",
        "https://preview.twilio.com@evil.example",
        f"https://{ACCOUNT}:{SECRET}@preview.twilio.com",
        f"http://:{SECRET}@127.0.0.1",
        "https://preview.twilio.com/v1",
        "https://preview.twilio.com?x=1",
        "https://preview.twilio.com#x",
        "https://preview．twilio．com",
        "https://pre\\view.twilio.com",
        "ftp://127.0.0.1",
        "file:///etc/passwd",
        "http://127.1",
        "http://2130706433",
        "http://0.0.0.0",
        "http://[::ffff:10.0.0.1]",
        "http://169.254.169.254",
        "http://10.0.0.1",
        "http://localhost.",
        "http://localhost.evil.example",
        "http://127.0.0.1:99999",
        "http://127.0.0.1:port",
        "http://[::1",
    ],
)
def test_no_other_address_is(url: str) -> None:
    """The refusal repeats nothing that was given."""
    with pytest.raises(UsageError) as caught:
        check_base_url(url)
    assert SECRET not in str(caught.value)


def test_without_an_environment_there_are_defaults_and_no_credentials() -> None:
    """The message says what to set, or how to do without."""
    settings = read_settings()
    assert (settings.hnbulk_base_url, settings.hnbulk_home) == (SERVICE_URL, Path(".hnbulk"))
    with pytest.raises(AccessRefused, match="TWILIO_ACCOUNT_SID"):
        _ = settings.credentials


@pytest.mark.parametrize("account", ["", "SK" + "a" * 32, "me"])
def test_an_account_is_an_account_sid(monkeypatch: pytest.MonkeyPatch, account: str) -> None:
    """A key's sid is not one."""
    monkeypatch.setenv("TWILIO_ACCOUNT_SID", account)
    with pytest.raises(AccessRefused):
        _ = read_settings().credentials


def test_a_token_or_a_key_is_who_we_are(monkeypatch: pytest.MonkeyPatch) -> None:
    """A whole key goes before the token; half a key does not count."""
    monkeypatch.setenv("TWILIO_ACCOUNT_SID", ACCOUNT)
    with pytest.raises(AccessRefused, match="TWILIO_AUTH_TOKEN"):
        _ = read_settings().credentials
    monkeypatch.setenv("TWILIO_API_KEY", "SKx")
    monkeypatch.setenv("TWILIO_AUTH_TOKEN", SECRET)
    assert read_settings().credentials.username == ACCOUNT
    monkeypatch.setenv("TWILIO_API_SECRET", "other")
    found = read_settings().credentials
    assert (found.account_sid, found.username) == (ACCOUNT, "SKx")
    assert found.secret.get_secret_value() == "other"


def test_a_file_in_the_folder_is_read(tmp_path: Path) -> None:
    """The environment's names, unknown ones ignored."""
    (tmp_path / ".env").write_text(
        f"TWILIO_ACCOUNT_SID={ACCOUNT}\nTWILIO_AUTH_TOKEN={SECRET}\nOTHER=1\nHNBULK_HOME=/x\n"
    )
    settings = read_settings()
    assert settings.credentials.secret.get_secret_value() == SECRET
    assert settings.hnbulk_home == Path("/x")


def test_the_secret_is_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither by settings nor by credentials."""
    monkeypatch.setenv("TWILIO_ACCOUNT_SID", ACCOUNT)
    monkeypatch.setenv("TWILIO_AUTH_TOKEN", SECRET)
    settings = read_settings()
    shown = f"{settings!r} {settings} {settings.credentials!r} {settings.model_dump()} {vars(settings)}"
    assert SECRET not in shown


def test_the_pace_is_gentle_with_the_service_and_free_on_this_machine() -> None:
    """By the address alone."""
    assert pace_for(SERVICE_URL) is REAL_PACE
    assert pace_for("http://[::1]:5") is SANDBOX_PACE
    assert (REAL_PACE.rate, REAL_PACE.connections, REAL_PACE.settle) == (5.0, 4, 120.0)
    assert REAL_PACE.most_connections == SANDBOX_PACE.most_connections == MOST_CONNECTIONS == 10
    assert SANDBOX_PACE.rate is None


def test_calls_are_few_by_default() -> None:
    """Ten a plan, two at once, nine to five, toll-free only by the owner's address."""
    limits = CallLimits()
    assert (limits.max_calls, limits.at_once) == (10, 2)
    assert (limits.open_hour, limits.close_hour, limits.toll_free_zone) == (9, 17, None)


@pytest.mark.parametrize(
    ("host", "loopback"),
    [
        ("localhost", True),
        ("127.0.0.1", True),
        ("::1", True),
        ("0.0.0.0", False),
        ("", False),
        ("x", False),
    ],
)
def test_loopback_is_this_machine(host: str, loopback: bool) -> None:
    """A name that looks like it is not."""
    assert is_loopback(host) is loopback


def test_settings_and_credentials_are_not_pickled(monkeypatch: pytest.MonkeyPatch) -> None:
    """A pickle would hold the secret in clear."""
    monkeypatch.setenv("TWILIO_ACCOUNT_SID", ACCOUNT)
    monkeypatch.setenv("TWILIO_AUTH_TOKEN", SECRET)
    for one in (read_settings(), read_settings().credentials):
        with pytest.raises(TypeError, match="not pickled"):
            pickle.dumps(one)


@pytest.mark.parametrize("rate", [0.0, -1.0, math.inf, math.nan])
def test_a_rate_that_cannot_be_kept_is_refused(rate: float) -> None:
    """Before a run could begin with it."""
    with pytest.raises(UsageError, match="a rate of"):
        Pace(rate, 4, 120.0)


@pytest.mark.parametrize("settle", [-1.0, MOST_SETTLE + 1, math.inf, math.nan])
def test_a_settle_time_that_cannot_be_waited_is_refused(settle: float) -> None:
    """The longest is a day."""
    assert Pace(None, 4, MOST_SETTLE).settle == 86_400
    with pytest.raises(UsageError, match="is not from 0 to 86400"):
        Pace(None, 4, settle)
