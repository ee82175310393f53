"""Where to connect and how fast to go: read once from the environment or a `.env` file.

Secrets are `SecretStr` from the first moment. Which addresses may be used at all is decided
here: loopback, or the service's own hosts over https.
"""

from __future__ import annotations

import ipaddress
import math
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import NoReturn, SupportsIndex
from urllib.parse import urlsplit

from pydantic import SecretStr, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from hnbulk.errors import AccessRefused, UsageError

SERVICE_URL = "https://preview.twilio.com"
SERVICE_HOSTS = frozenset({"preview.twilio.com", "numbers.twilio.com"})

#: More requests under way at once make nothing faster, for the service or for us.
MOST_CONNECTIONS = 10
#: Seconds: longer than a day no request in doubt is waited for, as no plan is applied that is older.
MOST_SETTLE = 86_400.0


@dataclass(frozen=True, slots=True)
class Pace:
    """How fast a run may go. `rate` is requests in any one second (None: no ceiling);
    `settle` is how many seconds a request in doubt is given to show up.

    A run begins with `connections` requests under way and finds out by itself, between one and
    `most_connections`, how many the service bears. Raises `UsageError` for a rate or a time that
    cannot be kept.
    """

    rate: float | None
    connections: int
    settle: float
    canary: int = 5
    most_connections: int = MOST_CONNECTIONS

    def __post_init__(self) -> None:
        if self.rate is not None and not 0 < self.rate < math.inf:
            raise UsageError(
                f"a rate of {self.rate:g} requests a second cannot be kept. Give a number above 0, or "
                "leave it out."
            )
        if not 0 <= self.settle <= MOST_SETTLE:
            raise UsageError(
                f"a settle time of {self.settle:g} s is not from 0 to {MOST_SETTLE:g}. Give another, or "
                "leave it out."
            )


REAL_PACE = Pace(rate=5.0, connections=4, settle=120.0)
SANDBOX_PACE = Pace(rate=None, connections=8, settle=120.0)


@dataclass(frozen=True, slots=True)
class CallLimits:
    """The caps on verification calls: how many a plan, how many at once, between which local hours.

    `toll_free_zone` is the time zone of the owner's address for toll-free numbers, which have
    none of their own; without it they are not called.
    """

    max_calls: int = 10
    at_once: int = 2
    open_hour: int = 9
    close_hour: int = 17
    toll_free_zone: str | None = None


@dataclass(frozen=True, slots=True)
class Credentials:
    """Who we are. `username` is the account sid or an API key's sid; the secret is never shown."""

    account_sid: str
    username: str
    secret: SecretStr = field(repr=False)

    def __reduce_ex__(self, protocol: SupportsIndex) -> NoReturn:
        raise _unpickled()


class Settings(BaseSettings):
    """The environment as it is: `TWILIO_*` and `HNBULK_*`, or a `.env` file in the working folder."""

    model_config = SettingsConfigDict(env_file=".env", extra="ignore", hide_input_in_errors=True)

    twilio_account_sid: str | None = None
    twilio_auth_token: SecretStr | None = None
    twilio_api_key: str | None = None
    twilio_api_secret: SecretStr | None = None
    hnbulk_base_url: str = SERVICE_URL
    hnbulk_home: Path = Path(".hnbulk")
    hnbulk_unsafe_fs: bool = False

    def __reduce_ex__(self, protocol: SupportsIndex) -> NoReturn:
        raise _unpickled()

    @property
    def credentials(self) -> Credentials:
        """Account sid with token or API key. Raises `AccessRefused` naming what is missing."""
        account = self.twilio_account_sid
        if account is None or not re.fullmatch("AC[0-9a-fA-F]{32}", account):
            raise AccessRefused(
                "TWILIO_ACCOUNT_SID is not set to an account sid (AC and 32 hex digits). Set it and "
                "TWILIO_AUTH_TOKEN. Without an account `hnbulk demo` shows everything, and "
                "`hnbulk sandbox` prints what to set for a service of your own."
            )
        if self.twilio_api_key and self.twilio_api_secret:
            return Credentials(account, self.twilio_api_key, self.twilio_api_secret)
        if self.twilio_auth_token:
            return Credentials(account, account, self.twilio_auth_token)
        raise AccessRefused("neither TWILIO_AUTH_TOKEN nor TWILIO_API_KEY with TWILIO_API_SECRET is set.")


def _unpickled() -> TypeError:
    # a pickle would hold the secret in clear
    return TypeError("secrets are not pickled; read the settings again where they are needed")


def read_settings() -> Settings:
    """The settings of this environment. Raises `UsageError` where one cannot be read."""
    try:
        return Settings()
    except ValidationError as error:
        names = ", ".join(str(part["loc"][0]).upper() for part in error.errors(include_input=False))
        raise UsageError(f"these settings cannot be read: {names}.") from None


def check_base_url(url: str) -> str:
    """`url` as scheme and host (and port), proved to be loopback or the service.

    Raises `UsageError` for any other host, for user names in the address, for a path, and for
    plain http to anything but loopback.
    """
    try:
        parts = urlsplit(url)
        host, port = (parts.hostname or ""), parts.port
    except ValueError:
        raise UsageError("the base URL is not an address.") from None
    if parts.username or parts.password:
        raise UsageError("the base URL must not carry a user name or password.")
    if parts.path not in ("", "/") or parts.query or parts.fragment:
        raise UsageError("the base URL is a scheme and a host only, without path or query.")
    loopback = is_loopback(host)
    service = parts.scheme == "https" and host in SERVICE_HOSTS and port in (None, 443)
    if not service and not (loopback and parts.scheme in ("http", "https")):
        raise UsageError(
            "the base URL must be the service's own (https://preview.twilio.com) or on this "
            "machine (http://127.0.0.1:PORT)."
        )
    shown = f"[{host}]" if ":" in host else host
    return f"{parts.scheme}://{shown}" + (f":{port}" if port is not None else "")


def is_loopback(host: str) -> bool:
    """The host name or address is this machine's own loopback."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def pace_for(base_url: str) -> Pace:
    """The default pace: gentle with the service, without ceiling on loopback."""
    return SANDBOX_PACE if is_loopback(urlsplit(base_url).hostname or "") else REAL_PACE
