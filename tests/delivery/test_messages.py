"""What people read: sparklines, parts, templates, and what is in a message."""

from __future__ import annotations

import re
import struct
import zlib
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st
from structlog.testing import capture_logs

from monitor.clock import ManualClock
from monitor.decisions import Alert, Figures, Listing, Notice, NoticeWhy, Order
from monitor.delivery.channels.progress import REMEMBERED_MAX, Progress
from monitor.delivery.messages import sparkline
from monitor.delivery.messages.background import About, NoBackground
from monitor.delivery.messages.facts import TEXT_MAX
from monitor.delivery.messages.messages import Message, Messages, Sources, drawn
from monitor.delivery.messages.split import split, utf8
from monitor.delivery.messages.templates import (
    CHARS_MAX,
    FORMS,
    KINDS,
    LANGUAGES,
    NAMES,
    SHIPPED,
    TITLE_CHARS_MAX,
    Form,
    Templates,
    parted,
)
from monitor.delivery.messages.words import duration, word
from monitor.delivery.people import Digest
from monitor.delivery.receivers import PeopleReceiver
from monitor.delivery.remarks import NoRemarks, Remark, Shared
from monitor.errors import ConfigError
from tests.store.made import alert, command, refusal

CUSTOMER = "+8613912345678"
REMARK = Remark(
    bad=46,
    others=54,
    since_ms=0,
    sampled=False,
    named=(Shared("agent", "王芳", 0.78, 0.38, 2.1, 1e-5),),
    records=("calls/3@1200", "calls/1@88"),
    trend=(0.1, 0.2, None, 0.5, 0.8),
)


class Known:
    """Everything there is to know of an alert."""

    def of(self, _alert: Alert) -> About:
        title = {"en": "Customers hang up", "zh": "号码挂断率过高"}
        bound = {"en": "above 30%", "zh": "高于 30%"}
        return About(title, bound, "https://wiki.example.com/hangup", (command(), refusal()))

    def about(self, _alert: Alert) -> Remark:
        return REMARK

    known = about


def messages(language: str = "en", *, known: bool = True, folder: Path | None = None) -> Messages:
    settings = PeopleReceiver.model_validate({"language": language, "zone": "Asia/Shanghai"})
    sources = Sources(
        templates=Templates(folder),
        remarks=Known() if known else NoRemarks(),
        background=Known() if known else NoBackground(),
        console="https://monitor.example.com" if known else None,
    )
    return Messages(settings, sources)


def test_a_trend_in_blocks() -> None:
    assert sparkline.blocks([0, 0.5, None, 1]) == "▁▅·█"
    assert sparkline.blocks([3.0, -1.0]) == "█▁"
    assert sparkline.blocks([0.0, 0.0]) == "▁▁"
    assert sparkline.blocks([None, 1.0]) == sparkline.blocks([]) == ""


def test_a_trend_as_a_picture() -> None:
    assert sparkline.svg([None, 1.0]) == ""
    assert sparkline.png([1.0]) == b""
    picture = sparkline.svg([0, 1, None, 1, 0.5])
    assert picture.count("<polyline") == 2
    data = sparkline.png([0, 1, None, 1, 0.5, None, 1])
    assert data.startswith(b"\x89PNG\r\n\x1a\n")
    assert len(data) < 1_000
    at, kinds, raw, width = 8, [], b"", 0
    while at < len(data):
        (length,) = struct.unpack(">I", data[at : at + 4])
        kind, body = data[at + 4 : at + 8], data[at + 8 : at + 8 + length]
        assert struct.unpack(">I", data[at + 8 + length : at + 12 + length])[0] == zlib.crc32(
            kind + body
        )
        kinds.append(kind)
        if kind == b"IHDR":
            width, height, *_ = struct.unpack(">IIBBBBB", body)
        raw += zlib.decompress(body) if kind == b"IDAT" else b""
        at += 12 + length
    assert kinds == [b"IHDR", b"PLTE", b"IDAT", b"IEND"]
    assert len(raw) == (width + 1) * height
    assert 100 < raw.count(1) < 3_000


@given(st.text(alphabet="ab\n字😀", max_size=400), st.integers(5, 60))
def test_parts_fit_and_lose_nothing_but_breaks(text: str, limit: int) -> None:
    parts = split(text, limit, utf8)
    if len(parts) > 7:  # and perhaps more was cut off
        assert all(utf8(part) <= limit for part in parts)
        return
    assert all(utf8(part) <= limit for part in parts)
    assert "".join(parts).replace("\n", "") == text.replace("\n", "")


def test_a_part_ends_with_a_line_where_it_can() -> None:
    assert split("one\ntwo\nthree", 8, utf8) == ["one\ntwo", "three"]
    assert split("onetwothree", 4, utf8) == ["onet", "woth", "ree"]
    assert split("字字字", 4, utf8) == ["字", "字", "字"]
    assert split("x" * 100, 4, utf8)[-1] == "x…"


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("form", FORMS)
def test_an_alert_tells_everything(language: str, form: Form) -> None:
    message = messages(language).of(alert(at_ms=600_000, since_ms=60_000), form)
    said = f"{message.title}\n{message.body}"
    for part in (
        "+862150000007",
        {"en": "Customers hang up", "zh": "号码挂断率过高"}[language],
        {"en": "hangs up 80 %", "zh": "挂断率 80%"}[language],
        "80.0%",
        "30m",
        {"en": "above 30%", "zh": "高于 30%"}[language],
        "▂▃·▅█",
        "1970-01-01 08:01:00",
        {"en": "9 min", "zh": "9 分钟"}[language],
        "王芳",
        "calls/3@1200",
        "1970-01-01 08:31:00",
        "1 may",
        "https://wiki.example.com/hangup",
    ):
        assert part in said, part
    page = f"{message.links[1].url}?do=acknowledge"
    assert [link.url.endswith(alert().episode) for link in message.links] == [False, True]
    assert message.links[0].url == page
    assert message.tone == "bad"
    assert drawn(message)


def test_an_alert_of_which_little_is_known() -> None:
    bare = alert(message={}, figures=Figures(None, 0, 0, ""), state="resolved", level="warn")
    message = messages(known=False).of(bare, "txt")
    assert message.title == "Over: number-hangup +862150000007"
    assert message.body.startswith("number-hangup\nOver: 1970-01-01 08:01:00")
    assert (message.links, message.tone, drawn(message)) == ((), "good", b"")
    assert "How bad" not in message.body
    firing = messages(known=False).of(alert(level="warn"), "md")
    assert firing.tone == "worrying"


@pytest.mark.parametrize(
    ("figures", "text"),
    [
        (Figures(0.004, 4, 1000, "4h"), "0.40% (4 of 1000, 4h)"),
        (Figures(4.25, 85, 20, "1d", "mean"), "4.25 (1d)"),
        (Figures(37, 37, 1, "1h", "count"), "37 (1h)"),
    ],
)
def test_figures_as_people_write_them(figures: Figures, text: str) -> None:
    assert f"How bad: {text}, limit above 30%" in messages().of(alert(figures=figures), "txt").body


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize(
    ("customer", "shown"), [(CUSTOMER, "+8613…78"), ("c-123456", "c-…"), ("li@example.com", "li…")]
)
def test_customers_are_masked_everywhere(form: Form, customer: str, shown: str) -> None:
    scope = (("number", "+862150000007"), ("customer", customer))
    seen = alert(scope=scope, message={"en": f"{customer} again"})
    order = Order(0, "o", "customer.release", (("customer", customer),), "r", "e")
    listing = Listing(0, "l", "add", customer, 0, None, "opted_out", "sms.opted_out", "events")
    made = [messages().of(each, form) for each in (seen, order, listing)]
    made.append(messages().digest(Digest.of([seen, order, listing]), form))
    for message in made:
        assert customer not in message.title + message.body
        assert shown in message.title + message.body


def test_html_quotes_what_comes_in_events() -> None:
    evil = "<script>x</script>"
    seen = alert(message={"en": evil}, scope=(("agent", evil),))
    refused = refusal(detail=evil, pool=evil, number=evil)
    listing = Listing(0, "l", "add", evil, 0, None, evil, "x", evil)
    pages = [messages().of(each, "txt", page=True).page for each in (seen, refused, listing)]
    pages += [
        messages().digest(Digest.of([seen, refused]), "txt", page=True).page,
        messages().test(evil, 0, "txt", page=True).page,
    ]
    for page in pages:
        assert "<script" not in page
        assert "&lt;" in page


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("form", FORMS)
def test_digests_and_tests(language: str, form: Form) -> None:
    many = [alert(n, rule=f"rule-{n % 30}") for n in range(1, 100)]
    digest = Digest.of([*many, command(), refusal()])
    said = messages(language).digest(digest, form)
    text = said.title + said.body
    assert "101" in text
    assert ("4 × " if form != "html" else ">4</td>") in text
    assert {"en": "more", "zh": "另有"}[language] in text
    assert messages(language).test("ops", 0, form).body.count("ops") == 1


def notice(why: NoticeWhy, *newest: Alert, **changes: Any) -> Notice:
    counts = Counter(f"{each.state} {each.level} {each.rule}" for each in newest)
    made: dict[str, Any] = {"route": "day", "person": "li", "language": "", **changes}
    return Notice(
        9, "n1", why, level="crit", counts=counts, from_ms=1, to_ms=9, newest=newest, **made
    )


def test_a_notice_of_one_alert_shows_it_whole() -> None:
    told = messages().of(notice("escalation", alert()), "md")
    assert told.title == "Escalation: Critical: Customers hang up +862150000007"
    assert (told.id, told.episode) == ("n1", alert().episode)
    assert "Likely cause" in told.body
    assert told.links[0].label == "Acknowledge"
    news = messages().of(notice("alerts", alert(state="resolved")), "md")
    assert news.title.startswith("Over: ")
    assert (news.tone, [link.label for link in news.links]) == ("good", ["Open"])


def test_a_refusal_is_told_on_as_itself_and_in_a_digest_with_what_it_is() -> None:
    why = refusal(guard="min_left", detail="0 of 3 would be left; at least 2 must be")
    one = replace(notice("escalation"), counts={"refused crit r": 1}, refusals=(why,))
    told = messages("zh").of(one, "md")
    assert told.title == "【升级】【未停用】号码 +862150000007"
    assert "3 个号码将只剩 0 个,至少须留 2 个" in told.body
    assert (told.id, told.tone) == ("n1", "worrying")
    digest = messages("zh").of(
        replace(one, counts={"refused crit r": 2, "failed crit r": 1, "firing warn r": 1},
                newest=(alert(),)), "txt",
    )  # fmt: skip
    assert digest.title == "【升级 · 严重】4 条通知"
    for row in ("2 × 未停用 r(严重)", "1 × 电话系统异常 r(严重)", "+862150000007: 3 个号码将只剩"):
        assert row in digest.body


def test_people_read_their_own_language() -> None:
    one = messages("zh").of(notice("repeat", alert(), language="en"), "txt")
    assert one.title.startswith("Not acknowledged yet: Critical")
    assert one.links[0].label == "Acknowledge"
    several = [alert(1), alert(2)]
    assert (
        "hangs up 80 %"
        in messages("zh").of(notice("repeat", *several, language="en-GB"), "md").body
    )
    assert "挂断率" in messages("zh").of(notice("repeat", *several, language="fr"), "md").body


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("why", [*get_args(NoticeWhy), "late", "too_many"])
def test_every_reason_has_words(language: str, why: str) -> None:
    for form in ("title", "told"):
        assert word(f"{form} {why}", language) != f"{form} {why}"


def test_a_digest_leads_to_each_alert_and_has_the_tone_of_the_worst() -> None:
    told = messages().digest(Digest.told(notice("alerts", alert(1), alert(2, level="warn"))), "md")
    assert told.body.count("](https://monitor.example.com/console/alerts/") == 2
    assert told.tone == "bad"
    over = [alert(n, state="resolved") for n in (1, 2)]
    assert messages().digest(Digest.of(over), "md").tone == "good"
    mild = messages().digest(Digest.of([alert(1, level="warn"), command()]), "md")
    assert (mild.tone, mild.title) == ("worrying", "Digest: 2 notifications")
    late = messages().digest(Digest.of([alert(1), command()]), "md")
    assert (late.tone, late.title) == ("bad", "Digest, critical: 2 notifications")


def test_a_digest_shows_the_newest() -> None:
    many = [alert(n, message={"en": f"alert no. {n}."}) for n in range(1, 100)]
    body = messages().digest(Digest.of([*many, many[-1]]), "md").body
    shown = [int(n) for n in re.findall(r"no\. (\d+)\.", body)]
    assert shown == list(range(99, 89, -1))


def test_a_value_is_bounded() -> None:
    body = messages().of(alert(message={"en": "¤" * 50_000}), "txt").body
    assert body.count("¤") == TEXT_MAX


def test_every_template_ships() -> None:
    assert {path.name for path in SHIPPED.iterdir()} == NAMES
    assert len(NAMES) == len(KINDS) * len(LANGUAGES) * len(FORMS) + 1


def test_a_site_writes_its_own(tmp_path: Path) -> None:
    (tmp_path / "alert.en.md").write_text("{{ rule }}!\n\n\n{{ scope[0].value }}\n\n\n\nend  \n")
    mine = messages(folder=tmp_path)
    assert mine.of(alert(), "md").text == "number-hangup!\n+862150000007\n\nend"
    assert "Since" in mine.of(alert(), "txt").body
    assert Templates(tmp_path).strangers() == []
    (tmp_path / "alert.fr.md").write_text("")
    (problem,) = Templates(tmp_path).strangers()
    assert str(problem).startswith(f"{tmp_path / 'alert.fr.md'}:0:0: no message is made of this")
    (problem,) = Templates(tmp_path / "nowhere").strangers()
    assert "no such folder" in str(problem)


@pytest.mark.parametrize(
    ("text", "line", "message"),
    [
        ("a\n{% if %}", 2, "Expected an expression"),
        ("a\nb\n{{ nobody }}", 3, "'nobody' is undefined"),
        ("a\n{{ rule.nothing }}", 2, "has no attribute 'nothing'"),
        ("{{ 1 // 0 }}", 1, "ZeroDivisionError"),
        ("a\n{{ ''.__class__.__mro__ }}", 2, "__class__"),
        ("{{ scope.append(1) }}", 1, "append"),
        ("{% include 'nobody.md' %}", 1, "nobody.md"),
    ],
)
def test_a_wrong_template_names_its_line(
    tmp_path: Path, text: str, line: int, message: str
) -> None:
    path = tmp_path / "alert.en.md"
    path.write_text(text)
    mine = messages(folder=tmp_path)
    with pytest.raises(ConfigError) as caught:
        Templates(tmp_path).render("alert", "en", "md", {"rule": "r", "scope": [1]})
    (problem,) = caught.value.problems
    assert (problem.path, problem.line) == (path, line), problem
    assert message in problem.message
    with capture_logs() as logs:  # people hear of it all the same
        assert "Customers hang up" in mine.of(alert(), "md").title
        mine.of(alert(), "md")
    assert [log["event"] for log in logs] == ["template_failed"]


def test_a_template_without_end_is_cut_off(tmp_path: Path) -> None:
    (tmp_path / "alert.en.md").write_text("t\n{% for n in range(90000) %}{{ rule }}{% endfor %}")
    (tmp_path / "alert.zh.md").write_text("{{ rule * 20000 }}")
    templates = Templates(tmp_path)
    for language in LANGUAGES:
        text = templates.render("alert", language, "md", {"rule": "long"})
        assert len(text) == CHARS_MAX + 1
        assert text.endswith("…")
    assert len(parted("x" * 500)[0]) == TITLE_CHARS_MAX


def test_words() -> None:
    assert word("agent", "zh") == "坐席"
    assert word("something new", "zh") == word("something new", "en") == "something new"
    assert word("refusal max_fraction", "zh") == "停用被拒: 号码池停用比例将超限"
    assert word("order customer.release", "en") == "order: give the customer back"
    minute = 60_000
    spans = [0, minute, 60 * minute, 125 * minute, 1_440 * minute, 1_560 * minute]
    assert [duration(ms, "en") for ms in spans] == [
        "under a minute", "1 min", "1 h", "2 h 5 min", "1 d", "1 d 2 h",
    ]  # fmt: skip
    assert duration(125 * minute, "zh") == "2 小时 5 分钟"


def test_pieces_are_remembered_for_a_while() -> None:
    progress = Progress()
    for n in range(REMEMBERED_MAX + 1):
        progress.note(str(n), "1")
    assert not progress.arrived("0", "1")
    assert progress.arrived("1", "1")
    progress.over("1")
    progress.over("nobody")
    assert not progress.arrived("1", "1")


def test_a_message_is_a_plain_value() -> None:
    message = Message("i", "", "title", "", "plain")
    assert (message.text, ManualClock().now_ms()) == ("title", 0)


@pytest.mark.parametrize(
    ("own", "site", "shown"),
    [
        (None, "Asia/Shanghai", "2027-01-15 16:00:00 +08:00"),
        ("UTC", "Asia/Shanghai", "2027-01-15 08:00:00 +00:00"),
        ("America/St_Johns", None, "2027-01-15 04:30:00 -03:30"),
    ],
)
@pytest.mark.parametrize("form", FORMS)
def test_a_time_says_its_zone_which_is_the_receivers_or_else_the_sites(
    form: Any, own: str | None, site: str | None, shown: str
) -> None:
    settings = PeopleReceiver.model_validate({"language": "en", "zone": own})
    at_ms = 1_800_000_000_000
    told = Messages(settings, Sources(zone=site)).of(alert(at_ms, since_ms=at_ms), form)
    assert shown in told.body
