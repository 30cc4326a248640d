"""Every endpoint as everybody: each role by token and by session, nobody, forged, another team."""

from __future__ import annotations

from collections.abc import Iterator

import httpx
import pytest

from monitor.web.person import Role
from tests.interface.callers import FOREIGN, Everything, cookie, everything, session, shown
from tests.interface.expected import ENDPOINTS, PLACES, Row
from tests.interface.serving import ROLES


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Everything]:
    with everything(tmp_path_factory.mktemp("everything")) as made:
        yield made


def test_every_endpoint_is_expected(whole: Everything) -> None:
    served = {(each.method, each.path): each.role for each in whole.server.routes}
    expected = {(method, path.partition("?")[0]) for method, path in ENDPOINTS}
    assert set(served) == expected, "say in tests/interface/expected.py who may ask for it"
    for (method, path), row in ENDPOINTS.items():
        declared = served[method, path.partition("?")[0]]
        strict = "?" not in path and declared is not None
        assert not strict or declared == row.role, f"{method} {path}"


@pytest.mark.parametrize(("method", "path"), list(ENDPOINTS))
def test_who_may_and_who_may_not(whole: Everything, method: str, path: str) -> None:
    row = ENDPOINTS[method, path]
    whole.clock.advance(1)
    for name in (*ROLES, FOREIGN):
        for headers in (shown(name), session(name)):
            if path == "/signout" and "cookie" in headers:
                continue  # it would be signed out: test_signin.py
            answer = _ask(whole, method, path, row, headers)
            role = Role["SUPERVISOR" if name == FOREIGN else name.upper()]
            may = row.role is None or role >= row.role
            if row.of_team and name == FOREIGN:
                may = False
            expected = row.status if may else 403
            assert answer.status_code == expected, f"{name}: {answer.text}"
            assert answer.headers["cache-control"] == "no-store" or path.endswith(".css")
    _as_nobody(whole, method, path, row)
    _forged(whole, method, path, row)


def _as_nobody(whole: Everything, method: str, path: str, row: Row) -> None:
    wrong: tuple[dict[str, str], ...] = (
        {},
        {"authorization": "Bearer wrong"},
        {"cookie": f"monitor-session={'x' * 43}"},
    )
    for headers in wrong:
        answer = _ask(whole, method, path, row, headers)
        assert answer.status_code == (row.status if row.role is None else 401), headers
    if row.role is not None:
        page = _ask(whole, method, path, row, {"accept": "text/html"})
        sent_to_sign_in = method == "GET" and not path.startswith("/api/")
        assert page.status_code == (303 if sent_to_sign_in else 401)


def _forged(whole: Everything, method: str, path: str, row: Row) -> None:
    """With the cookie of an admin, as another site's page may send it."""
    if method == "GET" or row.role is None:
        return
    token = {"x-csrf-token": session("admin")["x-csrf-token"]}
    for headers in (
        {},
        {"sec-fetch-site": "same-origin"},
        {"sec-fetch-site": "same-origin", "x-csrf-token": session("viewer")["x-csrf-token"]},
        {"sec-fetch-site": "cross-site", **token},
        {"origin": "https://evil.example", **token},
        token,
    ):
        answer = _ask(whole, method, path, row, {**cookie("admin"), **headers})
        assert answer.status_code == 403, headers
        assert "X-CSRF-Token" in answer.json()["detail"]


def _ask(
    whole: Everything, method: str, path: str, row: Row, headers: dict[str, str]
) -> httpx.Response:
    return whole.ask(method, path.format_map(PLACES), headers=headers, json=row.body)
