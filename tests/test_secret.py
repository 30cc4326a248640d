"""Secrets are read from where the configuration says, and from nowhere else."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from monitor.errors import SecretError
from monitor.secret import Secret


def test_the_three_places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOMEWHERE", "from the environment")
    (tmp_path / "secret").write_text("from a file\n")
    assert Secret.model_validate({"value": "as it is"}).reveal() == "as it is"
    assert Secret(env="SOMEWHERE").reveal() == "from the environment"
    assert Secret(file=tmp_path / "secret").reveal() == "from a file"


def test_one_that_cannot_be_read_is_told_without_being_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("NOT_SET", raising=False)
    with pytest.raises(SecretError, match="NOT_SET is not set"):
        Secret(env="NOT_SET").reveal()
    with pytest.raises(SecretError, match="cannot be read"):
        Secret(file=tmp_path / "none").reveal()
    (tmp_path / "binary").write_bytes(b"\xff")
    with pytest.raises(SecretError, match="cannot be read"):
        Secret(file=tmp_path / "binary").reveal()


@pytest.mark.parametrize("given", [{}, {"value": "a", "env": "B"}, {"env": "A", "file": "b"}])
def test_none_or_two_of_them_are_refused(given: dict[str, Any]) -> None:
    with pytest.raises(ValidationError, match="exactly one of value, env and file"):
        Secret.model_validate(given)


def test_it_is_not_printed() -> None:
    secret = Secret.model_validate({"value": "hunter2"})
    for shown in (repr(secret), str(secret), secret.model_dump_json()):
        assert "hunter2" not in shown
