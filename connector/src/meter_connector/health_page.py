"""The health page for eyes, in the reader's language: state in one line, then a row a bus."""

from __future__ import annotations

import html
import time
from collections.abc import Mapping
from typing import Any

from . import __version__

WORDS = {
    "en": {
        "healthy": "healthy",
        "look": "needs a look",
        "up": "running for",
        "odoo": "Odoo",
        "contact": "last contact {} ago",
        "never": "never reached",
        "away": "out of reach, last contact {} ago",
        "waiting": "Waiting for Odoo",
        "counts": "{readings} readings, {events} events, {results} results · outbox {size}",
        "orders": "Orders under way",
        "config": "Configuration",
        "silent": "Silent meters",
        "none": "none",
        "gateway": "Gateway",
        "bus": "Bus",
        "link": "Link",
        "age": "Age of data",
        "queue": "Queue",
        "ok": "Answered",
        "failed": "Unanswered",
        "dropped": "Bytes dropped",
        "down": "no connection",
    },
    "zh": {
        "healthy": "正常",
        "look": "需要查看",
        "up": "已运行",
        "odoo": "Odoo",
        "contact": "{}前联系",
        "never": "尚未连上",
        "away": "无法连接，{}前最后联系",
        "waiting": "待上传",
        "counts": "读数 {readings}，事件 {events}，命令结果 {results} · 暂存库 {size}",
        "orders": "执行中的命令",
        "config": "配置版本",
        "silent": "无应答的表计",
        "none": "无",
        "gateway": "网关",
        "bus": "总线",
        "link": "链路",
        "age": "数据时效",
        "queue": "排队",
        "ok": "成功",
        "failed": "失败",
        "dropped": "丢弃字节",
        "down": "未连接",
    },
}
COLUMNS = ("gateway", "bus", "age", "queue", "ok", "failed", "dropped", "link")
STYLE = (
    "body{font:15px/1.5 system-ui,'Noto Sans CJK SC',sans-serif;margin:0 auto;padding:1rem;max-width:70rem;color:#1f2933}"
    "h1{font-size:1.4rem;margin:.2rem 0}dl{display:grid;grid-template-columns:max-content 1fr;gap:.2rem 1rem}dt{color:#667}dd{margin:0}"
    "div{overflow-x:auto}table{border-collapse:collapse;width:100%;white-space:nowrap}"
    "td,th{padding:.3rem .7rem;border-bottom:1px solid #dde;text-align:right}th{color:#667;font-weight:600}"
    "td:nth-child(-n+2),th:nth-child(-n+2),td:last-child,th:last-child{text-align:left}.bad{background:#fdecea}.good{color:#1b7f3b}.sad{color:#b3261e}"
)


def language_of(accepted: str) -> str:
    """Of the Accept-Language header."""
    return "zh" if accepted.strip().lower().startswith("zh") else "en"


def render(look: Mapping[str, Any], language: str) -> str:
    """The page."""
    words = WORDS[language]
    state = "healthy" if look["healthy"] else "look"
    head = "".join(f"<th>{words[column]}" for column in COLUMNS)
    rows = "".join(_row(row, words, row["id"] in look["stale_buses"]) for row in look["rows"])
    silent = ", ".join(html.escape(serial) for serial in look["silent_serials"]) or words["none"]
    code = html.escape(look["config"]["code"])
    return (
        f'<!doctype html><html lang="{language}"><meta charset="utf-8"><meta name="viewport" content="width=device-width">'
        f'<meta http-equiv="refresh" content="5"><title>meter-connector {code}</title><style>{STYLE}</style>'
        f'<h1>meter-connector {code}</h1><p><b class="{"good" if look["healthy"] else "sad"}">{words[state]}</b> · {__version__} · '
        f"{words['up']} {duration(look['up_s'])} · {time.strftime('%Y-%m-%d %H:%M:%S UTC', time.gmtime())}</p>"
        + "".join(f'<p class="sad">{html.escape(text)}</p>' for text in look["problems"])
        + f"<dl><dt>{words['odoo']}<dd>{_contact(look['odoo'], words)}"
        f"<dt>{words['waiting']}<dd>{words['counts'].format(**look['outbox'], size=size(look['outbox']['bytes']))}"
        f"<dt>{words['orders']}<dd>{look['outbox']['orders_open']}<dt>{words['config']}<dd>{look['config']['version']}"
        f"<dt>{words['silent']}<dd>{silent}</dl><div><table><tr>{head}</tr>{rows}</table></div></html>"
    )


def duration(seconds: float) -> str:
    """1.5 s, 12 min, 3 h, 2 d: what a glance needs."""
    if seconds < 120:
        return f"{seconds:.1f} s" if seconds < 10 else f"{seconds:.0f} s"
    if seconds < 7200:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.0f} h" if seconds < 172_800 else f"{seconds / 86_400:.0f} d"


def size(count: float) -> str:
    """Bytes for eyes."""
    return f"{count / 1024:.0f} kB" if count < 1_048_576 else f"{count / 1_048_576:.1f} MB"


def _contact(odoo: Mapping[str, Any], words: Mapping[str, str]) -> str:
    if odoo["last_contact_s"] is None:
        return words["never"]
    text = words["contact"] if odoo["reached"] else words["away"]
    return text.format(duration(odoo["last_contact_s"]))


def _row(row: Mapping[str, Any], words: Mapping[str, str], is_stale: bool) -> str:
    link = html.escape(row["link"]) + (
        "" if row["connected"] else f' <span class="sad">({words["down"]})</span>'
    )
    age = duration(row["age_s"]) if row["age_s"] >= 0 else "–"
    return (
        f"<tr{' class=bad' if is_stale else ''}><td>{html.escape(row['gateway'])}<td>{row['number']}<td>{link}<td>{age}"
        f"<td>{row['queue']}<td>{row['reads_ok']}<td>{row['reads_failed']}<td>{row['dropped_bytes']}<td>{link}</tr>"
    )
