"""A client as they are often written: whatever goes wrong is sent again. The drill's negative control.

python naive.py FILE    a number a line; where to send comes from the environment
"""

from __future__ import annotations

import base64
import http.client
import json
import os
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import urlencode, urlsplit

PATH = "/HostedNumbers/HostedNumberOrders"
TRIES = 8
THREADS = 8


def create(number: str) -> str | None:
    """The sid of an order for the number; None where it was tried often enough."""
    form = urlencode({"PhoneNumber": number, "SmsCapability": "true", "UniqueName": f"naive-{number[1:]}"})
    user, password = os.environ["TWILIO_ACCOUNT_SID"], os.environ["TWILIO_AUTH_TOKEN"]
    headers = {
        "Authorization": f"Basic {base64.b64encode(f'{user}:{password}'.encode()).decode()}",
        "Content-Type": "application/x-www-form-urlencoded",
    }
    for _ in range(TRIES):
        connection = http.client.HTTPConnection(
            str(urlsplit(os.environ["HNBULK_BASE_URL"]).netloc), timeout=30
        )
        try:
            connection.request("POST", PATH, form, headers)
            reply = connection.getresponse()
            body = reply.read()
            if reply.status == 201:
                return str(json.loads(body)["sid"])
        except (OSError, http.client.HTTPException, ValueError, TypeError, KeyError, RecursionError):
            pass  # it did not work: again
        finally:
            connection.close()
    return None


def main(path: str) -> None:
    with ThreadPoolExecutor(THREADS) as pool:
        made = list(pool.map(create, Path(path).read_text(encoding="utf-8").split()))
    sys.exit(f"{made.count(None)} were given up" if None in made else 0)


if __name__ == "__main__":
    main(sys.argv[1])
