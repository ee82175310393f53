"""How other programs reach a sandbox: what to set, and the code for the official helper libraries.

Both libraries have no setting for the address of this API, so each gets an HTTP client that sends
what is meant for the service to HNBULK_BASE_URL; without that variable nothing is sent at all.
"""

from __future__ import annotations

from dataclasses import dataclass, field

PYTHON = """\
import os
from urllib.parse import urlsplit

from twilio.http.http_client import TwilioHttpClient
from twilio.rest import Client


class Sandbox(TwilioHttpClient):
    def request(self, method, url, *args, **kwargs):
        parts = urlsplit(url)
        if parts.hostname.endswith(".twilio.com"):
            url = os.environ["HNBULK_BASE_URL"] + parts._replace(scheme="", netloc="").geturl()
        return super().request(method, url, *args, **kwargs)


client = Client(http_client=Sandbox())
orders = client.preview.hosted_numbers.hosted_number_orders
print([order.sid for order in orders.list(limit=20)])
"""

NODE = """\
const twilio = require("twilio");
const { RequestClient } = twilio;

class Sandbox extends RequestClient {
  request(options) {
    const url = new URL(options.uri);
    const uri = new URL(url.pathname + url.search, process.env.HNBULK_BASE_URL).href;
    return super.request(url.hostname.endsWith(".twilio.com") ? { ...options, uri } : options);
  }
}

const { TWILIO_ACCOUNT_SID, TWILIO_AUTH_TOKEN } = process.env;
const client = twilio(TWILIO_ACCOUNT_SID, TWILIO_AUTH_TOKEN, { httpClient: new Sandbox() });
client.preview.hosted_numbers.hostedNumberOrders
  .list({ limit: 20 })
  .then((orders) => console.log(orders.map((order) => order.sid)));
"""

LIBRARIES = f"""\

# The official libraries, unmodified, with these variables set. Python:

{PYTHON}
# Node:

{NODE}"""


@dataclass(frozen=True, slots=True)
class Reach:
    """Where a sandbox is and who one is there. Printed, it says what to set and shows the code."""

    base_url: str
    account_sid: str
    auth_token: str = field(repr=False)

    @property
    def environ(self) -> dict[str, str]:
        """The variables to set for another program: `env={**os.environ, **reach.environ}`."""
        return {
            "HNBULK_BASE_URL": self.base_url,
            "TWILIO_ACCOUNT_SID": self.account_sid,
            "TWILIO_AUTH_TOKEN": self.auth_token,
        }

    @property
    def exports(self) -> str:
        """The same, as lines for a shell."""
        return "\n".join(f"export {name}={value}" for name, value in self.environ.items())

    def __str__(self) -> str:
        return f"{self.exports}\n{LIBRARIES}"
