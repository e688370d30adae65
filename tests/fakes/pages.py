"""The pages a payer sees. They say on each screen that nothing here is real money."""

from html import escape
from string import Template

_PAGE = Template("""<!doctype html>
<html lang="zh-CN"><head><meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>$title（模拟）</title>
<style>
body{margin:0;font:16px/1.5 system-ui,sans-serif;background:#f2f3f5;color:#1f2329}
.warn{background:#fff3cd;color:#6b4e00;padding:10px 16px;font-size:14px;text-align:center}
main{max-width:390px;margin:16px auto;background:#fff;border-radius:12px;padding:20px;box-sizing:border-box}
h1{font-size:18px;margin:0 0 12px}.fen{font-size:34px;font-weight:600;margin:8px 0 16px}
dl{display:grid;grid-template-columns:5em 1fr;gap:6px;margin:0 0 20px;font-size:14px}
dt{color:#646a73}dd{margin:0;overflow-wrap:anywhere}
button,.button{display:block;width:100%;min-height:48px;border:0;border-radius:8px;background:$colour;color:#fff;
font:600 17px/48px system-ui,sans-serif;text-align:center;text-decoration:none;cursor:pointer}
.plain{background:#e8eaed;color:#1f2329;margin-top:10px}li{margin:10px 0}ul{padding-left:18px}
</style></head>
<body><div class="warn">这是模拟的$title，不会扣款，仅供演示和测试。<br>Simulated gateway: no money moves.</div>
<main>$content</main></body></html>
""")
_COLOURS = {"微信支付": "#07a152", "支付宝": "#1268dd"}


def render(title: str, content: str) -> str:
    return _PAGE.substitute(title=title, colour=_COLOURS[title], content=content)


def format_yuan(fen: int) -> str:
    return f"{fen // 100}.{fen % 100:02d}"


def render_cashier(title: str, order, action: str, cancel_url: str = "") -> str:
    """What the payer confirms. `action`: address the button posts to."""
    cancel = f'<a class="button plain" href="{escape(cancel_url)}">取消</a>' if cancel_url else ""
    return render(
        title,
        f"""<h1>{escape(title)}收银台（模拟）</h1>
<div class="fen">¥{format_yuan(order.fen)}</div>
<dl><dt>商品</dt><dd>{escape(order.subject)}</dd><dt>订单号</dt><dd>{escape(order.number)}</dd></dl>
<form method="post" action="{escape(action)}"><button type="submit" name="pay">支付</button></form>{cancel}""",
    )


def render_message(title: str, heading: str, text: str, back_url: str = "") -> str:
    back = f'<a class="button" href="{escape(back_url)}">返回商家</a>' if back_url else ""
    return render(title, f"<h1>{escape(heading)}</h1><p>{escape(text)}</p>{back}")


def render_list(title: str, orders) -> str:
    """The stand-in's front door: what waits for a payer."""
    items = "".join(
        f'<li><a href="/buyer/{escape(order.code)}">{escape(order.subject)} ¥{format_yuan(order.fen)}</a><br>'
        f"<small>{escape(order.number)}</small></li>"
        for order in orders
    )
    return render(title, f"<h1>待支付的订单</h1><ul>{items or '<li>没有待支付的订单</li>'}</ul>")
