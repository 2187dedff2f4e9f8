"""The part of a mapping that demands more of the values than RD does."""

from __future__ import annotations

from typing import Annotated, Self

import polars as pl
from polars.exceptions import PolarsError
from pydantic import AfterValidator, Field, model_validator

from rdimport.core.messages import _
from rdimport.mapping.vocabulary import MOST, Format, Section, Severity, Text, Texts, wrong


def _pattern(text: str) -> str:
    try:
        pl.select(pl.lit("").str.contains(text))
    except PolarsError as error:
        from rdimport.mapping.polars_words import why_no_pattern  # noqa: PLC0415  few need it

        reason = why_no_pattern(error)
        raise wrong(_("not a regular expression: {reason}", reason=reason)) from None
    return text


Pattern = Annotated[Text, AfterValidator(_pattern)]


class Check(Section):
    """Extra rules of a field besides RD's own. A row that breaks one is invalid."""

    required: bool = Field(default=False, examples=[True])
    """Whether every row must have it."""
    format: Format | None = Field(default=None, examples=["cnpj"])
    """The format of the text, including check digits."""
    pattern: Pattern | None = Field(default=None, examples=["^[A-Z]{3}-[0-9]+$"])
    """A regular expression that must be found in the text (syntax of Rust's `regex`)."""
    one_of: Texts | None = Field(default=None, examples=[["Franquia", "Loja própria"]])
    """The only values allowed, as they are after cleaning."""
    min: float | None = Field(default=None, examples=[0])
    """The smallest number."""
    max: float | None = Field(default=None, examples=[1000000])
    """The largest number."""
    min_length: Annotated[int, Field(ge=1, le=MOST)] | None = Field(default=None, examples=[2])
    """The minimum number of characters of a text, or of items of a list."""
    max_length: Annotated[int, Field(ge=1, le=MOST)] | None = Field(default=None, examples=[120])
    """The maximum number of characters of a text, or of items of a list."""
    role: Severity | None = Field(default=None, examples=["suspect"])
    """E-mail only: how a role address (`contato@`, `vendas@`) counts."""
    throwaway: Severity | None = Field(default=None, examples=["invalid"])
    """E-mail only: how a disposable address counts."""

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        for least, most in ((self.min, self.max), (self.min_length, self.max_length)):
            if least is not None and most is not None and least > most:
                raise wrong(
                    _(
                        "the minimum, {least}, is greater than the maximum, {most}",
                        least=f"{least:g}",
                        most=f"{most:g}",
                    )
                )
        return self
