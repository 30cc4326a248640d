"""``mappings:`` of a configuration: which hold, what is wrong with them, what a reload does."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from monitor.assembly import build_judges
from monitor.errors import ConfigError
from monitor.indicators.compile import BEGINNING
from monitor.mapping.decoder import MappedDecoder
from monitor.site import Site, load_site
from monitor.source.base import Fetched, Partition

MINE = """\
version: 1
name: mine
about: A test.
settings: {zone: UTC}
events:
  - {type: call.ended, id: a, time: 'local(b, site.zone)'}
"""


def site(tmp_path: Path, text: str, *own: str) -> Site:
    for number, content in enumerate(own):
        (tmp_path / f"own{number}.yaml").write_text(content)
    config = tmp_path / "config.yaml"
    config.write_text("version: 1\n" + text.replace("~", str(tmp_path)))
    return load_site(config)


def complaints(tmp_path: Path, text: str, *own: str) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        site(tmp_path, text, *own)
    return [str(each).removeprefix(f"{tmp_path}/") for each in caught.value.problems]


def test_without_topics_the_decoder_is_as_it_was(tmp_path: Path) -> None:
    made = site(tmp_path, "mappings: {files: [~/own0.yaml]}\n", MINE)
    assert made.config.mappings.topics == {}
    record = b'{"id": "1", "type": "call.ended", "time": 1795915800000, "agent": "li"}'
    batch = Fetched(
        Partition("cdr", 0), np.array([5]), np.array([-1]), append_time=False, values=[record],
        next_position=6,
    )  # fmt: skip
    told = build_judges(made, covered_from=BEGINNING).decoder.decode(batch)
    assert told.frame["agent"].to_list() == ["li"]
    assert not told.unmapped
    made = site(tmp_path, "mappings: {topics: {cdr: asterisk-cdr}}\n")
    assert isinstance(build_judges(made, covered_from=BEGINNING).decoder, MappedDecoder)


def test_a_sites_own_file_goes_before_the_shipped_one(tmp_path: Path) -> None:
    text = "mappings: {topics: {cdr: asterisk-cdr}, files: [~/own0.yaml]}\n"
    made = site(tmp_path, text, MINE.replace("mine", "asterisk-cdr"))
    assert made.mappings["asterisk-cdr"].file.path == tmp_path / "own0.yaml"
    assert tmp_path / "own0.yaml" in made.files


def test_what_is_wrong_is_said_with_its_place(tmp_path: Path) -> None:
    assert complaints(tmp_path, "mappings: {topics: {cdr: asterisk-cdrs}}\n") == [
        "config.yaml:2:26: no mapping 'asterisk-cdrs' (did you mean asterisk-cdr?)"
    ]
    wrong = "mappings: {topics: {cdr: vicidial}, settings: {vicidial: {zon: UTC}, mine: {}}}\n"
    assert complaints(tmp_path, wrong) == [
        "config.yaml:2:59: vicidial has no setting 'zon' (did you mean zone?)",
        "config.yaml:2:70: no mapping 'mine' is in use (see mappings.topics and .files)",
    ]
    twice = "mappings: {files: [~/own0.yaml, ~/own1.yaml]}\n"
    (said,) = complaints(tmp_path, twice, MINE, MINE)
    assert "'mine' stands in" in said
    (said,) = complaints(tmp_path, "mappings: {files: [~/own9.yaml]}\n")
    assert said == "own9.yaml:0:0: own9: there is no such file"
    zone = "mappings: {files: [~/own0.yaml], settings: {mine: {zone: Mars}}}\n"
    (said,) = complaints(tmp_path, zone, MINE)
    assert "no time zone 'Mars'" in said


def test_a_reload_does_not_change_how_records_are_read(tmp_path: Path) -> None:
    text = "mappings: {files: [~/own0.yaml]}\n"
    before = site(tmp_path, text, MINE)
    assert before.only_by_restart(site(tmp_path, text, MINE)) == []
    after = site(tmp_path, text, MINE.replace("A test", "Another"))
    assert before.only_by_restart(after) == ["files of mappings"]
    assert before.hash != after.hash
    moved = site(tmp_path, "mappings: {topics: {a: mine}, files: [~/own0.yaml]}\n", MINE)
    assert before.only_by_restart(moved) == ["mappings"]
