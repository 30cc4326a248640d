"""What is worth another attempt, and when."""

from __future__ import annotations

from copy import deepcopy

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.delivery.pacing import Pacer
from monitor.delivery.retry import pause_ms
from monitor.posting import classify, retry_after_s
from monitor.units import Rate

SECRET = "https://example.org/sesame"


@pytest.mark.parametrize(
    ("outcome", "retry", "reason"),
    [
        (199, False, "status_1xx"),
        (300, False, "redirect"),
        (399, False, "redirect"),
        (400, False, "status_4xx"),
        (404, False, "status_4xx"),
        (407, False, "status_4xx"),
        (408, True, "timeout"),
        (409, False, "status_4xx"),
        (425, True, "too_early"),
        (428, False, "status_4xx"),
        (429, True, "throttled"),
        (430, False, "status_4xx"),
        (499, False, "status_4xx"),
        (500, True, "status_5xx"),
        (599, True, "status_5xx"),
        (httpx.ReadTimeout(SECRET), True, "timeout"),
        (httpx.ConnectTimeout(SECRET), True, "timeout"),
        (httpx.ConnectError(SECRET), True, "connection"),
        (httpx.RemoteProtocolError(SECRET), True, "connection"),
        (httpx.UnsupportedProtocol(SECRET), False, "address"),
        (httpx.InvalidURL(SECRET), False, "address"),
    ],
)
def test_every_outcome_has_a_verdict_without_the_address(
    outcome: int | httpx.HTTPError | httpx.InvalidURL, retry: bool, reason: str
) -> None:
    error = classify(outcome)
    assert error is not None
    assert (error.retry, error.reason) == (retry, reason)
    assert "sesame" not in str(error)


@pytest.mark.parametrize("status", [200, 202, 204, 299])
def test_2xx_is_no_error(status: int) -> None:
    assert classify(status) is None


def test_what_the_receiver_asks_for_is_passed_on() -> None:
    error = classify(429, retry_after_s=7.5)
    assert error is not None
    assert error.retry_after_s == 7.5


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        (None, None),
        ("", None),
        ("0", 0.0),
        (" 120 ", 120.0),
        ("-5", None),
        ("1.5", None),
        ("9" * 400, None),
        ("soon", None),
        ("Fri, 15 Jan 2027 08:00:30 GMT", 30.0),
        ("Fri, 15 Jan 2027 08:00:30 -0000", 30.0),
        ("Fri, 15 Jan 2027 07:00:00 GMT", 0.0),
    ],
)
def test_retry_after_in_both_forms(value: str | None, seconds: float | None) -> None:
    assert retry_after_s(value, now_ms=1_800_000_000_000) == seconds


@given(st.integers(1, 10_000), st.floats(0, 1, exclude_max=True))
def test_pauses_are_bounded_and_grow_in_their_bound_only(failures: int, draw: float) -> None:
    pause = pause_ms(failures, base_ms=1_000, max_ms=300_000, draw=draw)
    bound = 300_000 if failures > 9 else 1_000 * 2 ** (failures - 1)
    assert 0 <= pause < bound
    assert pause == int(draw * bound)


def test_a_pacer_holds_the_rate_in_any_window() -> None:
    pacer = Pacer(Rate(3, 10_000))
    sent: list[float] = []
    for tenth in range(1_000):
        now_s = tenth / 10
        wait = pacer.wait_ms(now_s)
        assert (wait == 0) == bool(pacer.room(now_s))
        if wait == 0:
            pacer.took(now_s)
            sent.append(now_s)
        else:  # and not a moment longer than needed
            assert deepcopy(pacer).wait_ms(now_s + wait / 1000) == 0
    assert sent[:4] == [0.0, 0.1, 0.2, 10.0]
    for start in sent:
        assert sum(start <= other < start + 10 for other in sent) <= 3


def test_pacers_without_a_rate_and_with_a_rate_of_none() -> None:
    free = Pacer(None)
    free.took(0.0)
    assert (free.room(0.0), free.wait_ms(0.0)) == (None, 0)
    shut = Pacer(Rate(0, 5_000))
    assert (shut.room(0.0), shut.wait_ms(0.0)) == (0, 5_000)
