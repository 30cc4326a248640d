"""One HTTP client for all tests of a process.

``httpx.get`` makes a client each time, and with it reads every root certificate: 29 ms of work,
which a test that asks again and again takes from the daemon it waits for. This one keeps no
connection open either.
"""

from __future__ import annotations

import httpx

_CLIENT = httpx.Client(limits=httpx.Limits(max_keepalive_connections=0))

get = _CLIENT.get
post = _CLIENT.post
