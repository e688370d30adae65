"""Amounts in Chinese capitals (大写金额) as cheques and receipts in China want them.

Rules: 支付结算办法 附件一 正确填写票据和结算凭证的基本规定 (People's Bank of China).
"""

from .fen import to_fen

DIGITS = "零壹贰叁肆伍陆柒捌玖"
PLACES = ("", "拾", "佰", "仟")
GROUPS = ("", "万", "亿", "万亿")
LIMIT_FEN = 10**18  # below ten thousand 万亿 yuan


def to_chinese_capitals(amount):
    """The amount in yuan as Chinese capitals: 1680.32 -> 壹仟陆佰捌拾元零叁角贰分, 0 -> 零元整."""
    fen = to_fen(amount)
    if abs(fen) >= LIMIT_FEN:
        raise ValueError(f"amount too large for Chinese capitals: {amount}")
    sign = "负" if fen < 0 else ""
    yuan, rest = divmod(abs(fen), 100)
    jiao, cents = divmod(rest, 10)
    return sign + _yuan_text(yuan, rest) + _small_text(yuan, jiao, cents)


def _yuan_text(yuan, rest):
    if not yuan:
        return "" if rest else "零元"
    return _integer_text(yuan) + "元"


def _small_text(yuan, jiao, cents):
    if not jiao and not cents:
        return "整"
    text = "零" if yuan and (not jiao or yuan % 10 == 0) else ""
    if jiao:
        text += DIGITS[jiao] + "角"
    return text + (DIGITS[cents] + "分" if cents else "整")


def _integer_text(number):
    groups = []
    while number:
        number, group = divmod(number, 10000)
        groups.append(group)
    text, gap = "", False
    for power in reversed(range(len(groups))):
        group = groups[power]
        if not group:
            gap = True
            continue
        if text and (gap or group < 1000):
            text += "零"
        text += _group_text(group) + GROUPS[power]
        gap = False
    return text


def _group_text(group):
    text, gap = "", False
    for place in reversed(range(4)):
        digit = group // 10**place % 10
        if not digit:
            gap = bool(text)
            continue
        text += ("零" if gap else "") + DIGITS[digit] + PLACES[place]
        gap = False
    return text
