"""A secret written in a way that is refused: the fault is told, the secret is not."""

from __future__ import annotations

from pathlib import Path

import pytest

from monitor.config import Config
from monitor.errors import ConfigError
from monitor.strict_yaml import loads_yaml

SECRET = "s3cr3t-Zq"
_KAFKA = """
source:
  kind: kafka
  bootstrap: a:1
  security:
    sasl:
      username: u
      password: {}
"""


@pytest.mark.parametrize(
    "written",
    [
        SECRET,
        f"'{SECRET}'",
        f"[{SECRET}]",
        f"{{value: [{SECRET}]}}",
        f"{{value: {{a: {SECRET}}}}}",
        f"{{valeu: {SECRET}}}",
        f"{{{SECRET}: x}}",
        f"{{value: {SECRET}, env: X}}",
        f"{{value: {SECRET}, value: {SECRET}}}",
        f"{{value: {{{SECRET}: x}}}}",
        f"{{value: '{SECRET}",
        f'"{SECRET}\\x"',
        f"value: {SECRET}",
        f"*{SECRET}",
        f"!{SECRET} x",
        f"!!{SECRET} x",
        f"&{SECRET} x",
        f"%{SECRET}",
        f"@{SECRET}",
        f"{{value: !{SECRET} x}}",
        f"{{value: *{SECRET}}}",
        f"{{env: [{SECRET}]}}",
    ],
)
def test_a_password_written_wrongly_is_not_quoted(written: str) -> None:
    said = refused(_KAFKA.format(written))
    assert SECRET not in said
    assert "c.yaml:8:" in said  # and still the place is told


@pytest.mark.parametrize("written", ["12345678901", "{value: 12345678901}"])
def test_a_password_of_digits_is_not_quoted(written: str) -> None:
    assert "12345678901" not in refused(_KAFKA.format(written))


@pytest.mark.parametrize(
    "text",
    [
        f"store:\n  url: postgresql://u:{SECRET}@h/d\n",
        f"store:\n  urll: postgresql://u:{SECRET}@h/d\n",
        f"store:\n  url: {{value: postgresql://u:{SECRET}@h/d, env: X}}\n",
        f"exporter:\n  token: {SECRET}\n",
        f"delivery:\n  receivers:\n    h: {{type: webhook, url: '{SECRET}'}}\n",
        f"delivery:\n  receivers:\n    h: {{type: webhook, url: 'http://{SECRET}:x/'}}\n",
        f"delivery:\n  receivers:\n    h: {{type: webhook, url: ['https://{SECRET}']}}\n",
        f"delivery:\n  receivers:\n    h: {{type: webhok, url: 'https://{SECRET}'}}\n",
        f"delivery:\n  receivers:\n    h: {{type: webhook, url: 'https://h', secret: {SECRET}}}\n",
        f"delivery:\n  receivers:\n    h: {{type: alertmanager, url: 'ftp://{SECRET}'}}\n",
    ],
)
def test_an_address_or_token_written_wrongly_is_not_quoted(text: str) -> None:
    assert SECRET not in refused(text)


def test_what_is_no_secret_is_quoted_as_ever() -> None:
    assert "not 'soon'" in refused(_KAFKA.format("{env: X}") + "  topics: soon\n")


def refused(text: str) -> str:
    with pytest.raises(ConfigError) as caught:
        loads_yaml(text, Path("c.yaml"), Config)
    return str(caught.value)
