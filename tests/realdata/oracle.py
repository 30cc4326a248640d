"""The same figures straight from the published tables, in SQL that shares no code with the product.

Times are local and without a zone, as published. India is 5 h 30 min ahead of UTC all year; of
Lisbon only calendar days are needed.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime

import duckdb

from tests.realdata.replays import BANK, CALLS, TEXTS, Figures

_CALLS = """
CREATE TABLE calls AS
SELECT {e164} AS number, {customer} AS customer,
       CASE WHEN call_num LIKE '140%' THEN 'telemarketers' ELSE 'others' END AS campaign,
       talk,
       strptime(trim(start), '%d-%m-%Y %H:%M:%S') + to_seconds(talk) AS ended
FROM (SELECT call_num, rec_num, start, CAST(trim(duration) AS INTEGER) AS talk
      FROM read_csv('{path}', all_varchar = true))
"""
_TEXTS = """
CREATE TABLE texts AS
SELECT {e164} AS number, strptime(trim(timestamp), '%d-%m-%Y %H:%M:%S') AS sent
FROM read_csv('{path}', all_varchar = true)
"""
# A pane of 24 h is a quarter of an hour, and India's offset is a multiple of it.
_MOMENTS = """
CREATE TABLE moments AS
SELECT told, local,
       date_trunc('day', local - INTERVAL 1 MILLISECOND) AS day,
       date_trunc('month', local - INTERVAL 1 MILLISECOND) AS month,
       TIMESTAMP '1970-01-01' + to_seconds(
         CAST(ceil(epoch(local - INTERVAL 24 HOUR) / 900) * 900 AS BIGINT)
       ) AS yesterday
FROM (SELECT told, CAST(told AS TIMESTAMP) + INTERVAL '5 hours 30 minutes' AS local FROM given)
"""
_BY_CAMPAIGN = """
SELECT told, '{indicator}', '{window}', campaign, {hits}, {of}
FROM moments JOIN calls ON ended >= {since} AND ended < local
GROUP BY told, campaign
"""
_CAMPAIGN_FIGURES = [
    ("short_call_share", "month", "count(*) FILTER (talk < 6)", "count(*)"),
    ("brief_call_share", "month", "count(*) FILTER (talk < 30)", "count(*)"),
    ("brief_call_share", "day", "count(*) FILTER (talk < 30)", "count(*)"),
    ("brief_call_share", "yesterday", "count(*) FILTER (talk < 30)", "count(*)"),
    ("answer_rate", "month", "count(*) FILTER (talk > 0)", "count(*)"),
    ("talk_time", "month", "sum(talk)", "count(*)"),
    ("customers_called", "day", "count(DISTINCT customer)", "1"),
]
_REDIALS = """
SELECT told, number, customer, count(*)
FROM moments JOIN calls ON ended >= day AND ended < local GROUP BY ALL
"""
_TEXT_COUNTS = """
SELECT told, number, count(*) FROM moments JOIN texts ON sent >= day AND sent < local GROUP BY ALL
"""
_WINDOWS = {"month": "month@Asia/Kolkata", "day": "day@Asia/Kolkata", "yesterday": "24h"}


def _e164(column: str) -> str:
    """An Indian number without its spaces, brackets and trunk zero."""
    return f"'+91' || ltrim(regexp_replace(trim({column}), '[^0-9]', '', 'g'), '0')"


def telephone(moments: Iterable[str]) -> Figures:
    """Every figure of the telephone records at these moments, RFC 3339."""
    base = duckdb.connect()
    base.execute(_CALLS.format(e164=_e164("call_num"), customer=_e164("rec_num"), path=CALLS))
    base.execute(_TEXTS.format(e164=_e164("sending_telephone"), path=TEXTS))
    base.execute("CREATE TABLE given (told VARCHAR)")
    told = [moment.removesuffix("Z") for moment in sorted(moments)]
    base.execute("INSERT INTO given SELECT unnest(CAST(? AS VARCHAR[]))", [told])
    base.execute(_MOMENTS)
    found: Figures = {}
    for indicator, since, hits, of in _CAMPAIGN_FIGURES:
        window = _WINDOWS[since]
        query = _BY_CAMPAIGN.format(
            indicator=indicator, window=window, hits=hits, of=of, since=since
        )
        for at, _, _, campaign, top, bottom in base.execute(query).fetchall():
            found[f"{at}Z", indicator, window, (campaign,)] = (top, bottom)
    day = _WINDOWS["day"]
    for at, number, customer, calls in base.execute(_REDIALS).fetchall():
        found[f"{at}Z", "redials", day, (number, customer)] = (calls, 1)
    for at, number, texts in base.execute(_TEXT_COUNTS).fetchall():
        found[f"{at}Z", "texts", day, (number,)] = (texts, 1)
    return found


_BANK = """
CREATE TABLE dated AS
SELECT contact, y, CAST(duration AS INTEGER) AS talk,
       make_date(2008 + CAST(sum(fell) OVER (ORDER BY place) AS INTEGER), month, day) AS day
FROM (
  SELECT *, CAST(month < coalesce(lag(month) OVER (ORDER BY place), month) AS INTEGER) AS fell
  FROM (
    SELECT row_number() OVER () AS place, contact, y, duration, CAST(day AS INTEGER) AS day,
           CAST(list_position(['jan', 'feb', 'mar', 'apr', 'may', 'jun', 'jul', 'aug', 'sep', 'oct',
                               'nov', 'dec'], month) AS INTEGER) AS month
    FROM read_csv('{path}', all_varchar = true)
  )
)
"""
_BANK_FIGURES = [
    ("effective_share", "month", "count(*) FILTER (talk >= 120)", "count(*)"),
    ("conversion", "month", "count(*) FILTER (y = 'yes')", "count(*)"),
    ("conversion", "week", "count(*) FILTER (y = 'yes')", "count(*)"),
    ("talk_time", "month", "sum(talk)", "count(*)"),
]
_BANK_QUERY = """
SELECT told, contact, {hits}, {of}
FROM given JOIN dated ON day >= {since} AND day <= evening
GROUP BY told, contact
"""
_BANK_SINCE = {"month": "date_trunc('month', evening)", "week": "evening - INTERVAL 6 DAY"}
_BANK_WINDOWS = {"month": "month@Europe/Lisbon", "week": "7d"}


def is_evening(at: str) -> bool:
    """Whether all calls of the day have been made and the day is the same in Lisbon and UTC."""
    return 19 <= datetime.fromisoformat(at).astimezone(UTC).hour < 23


def bank(evenings: Iterable[str]) -> Figures:
    """Every figure of the bank as of these evenings, RFC 3339.

    Seven days of calls between 09:00 and 18:00 are, in the evening, today's and those of six days.
    """
    base = duckdb.connect()
    base.execute(_BANK.format(path=BANK))
    base.execute("CREATE TABLE given (told VARCHAR, evening DATE)")
    base.execute(
        "INSERT INTO given SELECT told, CAST(substr(told, 1, 10) AS DATE)"
        " FROM (SELECT unnest(CAST(? AS VARCHAR[])) AS told)",
        [sorted(evenings)],
    )
    found: Figures = {}
    for indicator, since, hits, of in _BANK_FIGURES:
        query = _BANK_QUERY.format(hits=hits, of=of, since=_BANK_SINCE[since])
        for at, contact, top, bottom in base.execute(query).fetchall():
            found[at, indicator, _BANK_WINDOWS[since], (contact,)] = (top, bottom)
    return found


def bank_months() -> list[tuple[int, int]]:
    """The calendar months in which the bank made calls."""
    base = duckdb.connect()
    base.execute(_BANK.format(path=BANK))
    query = "SELECT DISTINCT year(day), month(day) FROM dated ORDER BY 1, 2"
    return [(int(year), int(month)) for year, month in base.execute(query).fetchall()]
