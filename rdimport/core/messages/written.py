"""Numbers and times in the format of a language."""

from __future__ import annotations

from datetime import datetime

from rdimport.core.messages.language import Language, language


def whole(value: int, lang: Language | str | None = None) -> str:
    """An integer with the language's thousands separator: 12,345 or 12.345."""
    return f"{value:,}".replace(",", "." if (lang or language()) == "pt-BR" else ",")


def decimal(text: str, lang: Language | str | None = None) -> str:
    """A number formatted by Python, with the language's decimal separator."""
    return text.replace(".", ",") if (lang or language()) == "pt-BR" else text


def day(moment: str, lang: Language | str | None = None) -> str:
    """The date of an ISO 8601 time in this machine's time zone: 2026-12-31 or 31/12/2026."""
    form = "%d/%m/%Y" if (lang or language()) == "pt-BR" else "%Y-%m-%d"
    return datetime.fromisoformat(moment).astimezone().strftime(form)


def minute(moment: str) -> str:
    """The same with hour and minute."""
    return f"{day(moment)} {datetime.fromisoformat(moment).astimezone():%H:%M}"


def second(moment: str, lang: Language | str | None = None) -> str:
    """The same with seconds and the offset from UTC."""
    there = datetime.fromisoformat(moment).astimezone()
    offset = f"{there:%z}"
    return f"{day(moment, lang)} {there:%H:%M:%S} (UTC{offset[:3]}:{offset[3:5]})"


def short(moment: str) -> str:
    """Date and minute without the year."""
    form = "%d/%m %H:%M" if language() == "pt-BR" else "%m-%d %H:%M"
    return datetime.fromisoformat(moment).astimezone().strftime(form)
