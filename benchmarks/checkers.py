"""What a user would write instead of `rdimport check`, over the files of `lists.py`.

    python benchmarks/checkers.py NAME FILE.csv

`same` checkers do the same job: tidy all texts, check e-mail syntax, convert phone numbers to E.164
with phonenumbers, states, tags, consent, length limits, and duplicates (the last row counts). Like
`rdimport check`, they encode nothing. `light` checkers do what many scripts do: a pattern for
addresses, digits for numbers, no duplicates. Each prints how many rows it would send and refuse.
"""

from __future__ import annotations

import csv
import re
import sys
from collections.abc import Iterator
from typing import Annotated, Any, Literal

FIELDS = {
    "email": "E-mail",
    "name": "Nome",
    "job_title": "Cargo",
    "state": "UF",
    "city": "Cidade",
    "mobile_phone": "Celular",
    "company_name": "Empresa",
    "traffic_source": "Origem",
    "tags": "Tags",
    "cf_interesse": "Interesse",
}
TEXTS = ("name", "job_title", "city", "company_name", "traffic_source", "cf_interesse")
STATES = "AC AL AM AP BA CE DF ES GO MA MG MS MT PA PB PE PI PR RJ RN RO RR RS SC SE SP TO".split()
ANSWERS = {"sim": "granted", "s": "granted", "1": "granted", "não": "declined", "n": "declined"}
ADDRESS = r"^[a-z0-9!#$%&'*+/=?^_`{|}~.-]{1,64}@(?:[a-z0-9](?:[a-z0-9-]*[a-z0-9])?\.)+[a-z]{2,}$"


def read(file: str) -> Iterator[dict[str, str]]:
    with open(file, newline="", encoding="utf-8") as lines:
        yield from csv.DictReader(lines)


def lead_model() -> Any:
    import phonenumbers
    from pydantic import AfterValidator, BaseModel, BeforeValidator, EmailStr, StringConstraints

    def tidy(text: str) -> str | None:
        return " ".join(text.split()) or None

    def e164(text: str) -> str:
        try:
            number = phonenumbers.parse(text, "BR")
        except phonenumbers.NumberParseException:
            raise ValueError("no phone number") from None
        if not phonenumbers.is_valid_number(number):
            raise ValueError("no phone number")
        return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)

    def items(text: str) -> list[str] | None:
        parts = (" ".join(part.split()).lower() for part in text.split(";"))
        return list(dict.fromkeys(part for part in parts if part)) or None

    def as_state(text: str) -> str | None:
        return (tidy(text) or "").upper() or None

    def answer(text: str) -> str | None:
        word = text.strip().lower()
        return ANSWERS.get(word, word) or None

    short = StringConstraints(max_length=255)
    text = Annotated[Annotated[str, short] | None, BeforeValidator(tidy)]

    class LegalBasis(BaseModel):
        category: Literal["communications"] = "communications"
        type: Literal["consent"] = "consent"
        status: Annotated[Literal["granted", "declined"], BeforeValidator(answer)]

    class Lead(BaseModel):
        conversion_identifier: Literal["Benchmark"] = "Benchmark"
        email: Annotated[EmailStr, AfterValidator(str.lower)]
        name: text = None
        job_title: text = None
        state: Annotated[Literal[*STATES] | None, BeforeValidator(as_state)] = None
        city: text = None
        mobile_phone: Annotated[
            Annotated[str, AfterValidator(e164)] | None, BeforeValidator(tidy)
        ] = None
        company_name: text = None
        traffic_source: text = None
        tags: Annotated[list[Annotated[str, short]] | None, BeforeValidator(items)] = None
        cf_interesse: text = None
        legal_bases: list[LegalBasis]

    return Lead


def same_csv_pydantic(file: str) -> tuple[int, int]:
    from pydantic import ValidationError

    model = lead_model()
    good: dict[str, Any] = {}
    bad = 0
    for row in read(file):
        cells: dict[str, Any] = {field: row[column] for field, column in FIELDS.items()}
        cells["legal_bases"] = [{"status": row["Opt-in"]}]
        try:
            lead = model.model_validate(cells)
        except ValidationError:
            bad += 1
        else:
            good[lead.email] = lead
    return len(good), bad


def same_pandas_pandera(file: str) -> tuple[int, int]:
    import pandas as pd
    import pandera.pandas as pa
    import phonenumbers

    def e164(text: str) -> str:
        try:
            number = phonenumbers.parse(text, "BR")
        except phonenumbers.NumberParseException:
            return text
        if not phonenumbers.is_valid_number(number):
            return text
        return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)

    def items(text: str) -> list[str]:
        return list(dict.fromkeys(part for part in (p.strip() for p in text.split(";")) if part))

    short = pa.Check.str_length(max_value=255)
    optional = {"nullable": True, "coerce": False}
    schema = pa.DataFrameSchema(
        {
            "email": pa.Column(str, pa.Check.str_matches(ADDRESS)),
            "mobile_phone": pa.Column(str, pa.Check.str_matches(r"^\+[1-9]\d{7,14}$"), **optional),
            "state": pa.Column(str, pa.Check.isin(STATES), **optional),
            "consent": pa.Column(str, pa.Check.isin(["granted", "declined"])),
            **{field: pa.Column(str, short, **optional) for field in TEXTS},
        }
    )
    frame = pd.read_csv(file, dtype=str, keep_default_na=False, engine="pyarrow")
    frame = frame.rename(columns={column: field for field, column in FIELDS.items()})
    frame = frame.rename(columns={"Opt-in": "consent"})[[*FIELDS, "consent"]]
    for field in frame.columns:
        frame[field] = frame[field].str.strip().str.replace(r"\s+", " ", regex=True)
    frame = frame.replace("", None)
    frame["email"] = frame["email"].str.lower()
    frame["state"] = frame["state"].str.upper()
    frame["consent"] = frame["consent"].str.lower().map(ANSWERS)
    frame["mobile_phone"] = frame["mobile_phone"].map(e164, na_action="ignore")
    bad: set[int] = set()
    try:
        schema.validate(frame, lazy=True)
    except pa.errors.SchemaErrors as error:
        bad = set(error.failure_cases["index"])
    frame = frame.drop(index=list(bad)).drop_duplicates("email", keep="last")
    frame["tags"] = frame["tags"].str.lower().map(items, na_action="ignore")
    return len(frame), len(bad)


def light_csv_pydantic(file: str) -> tuple[int, int]:
    from pydantic import BaseModel, ValidationError, field_validator

    class Lead(BaseModel):
        email: str
        name: str
        mobile_phone: str
        company_name: str
        job_title: str
        city: str
        state: str
        cf_interesse: str
        traffic_source: str

        @field_validator("email")
        @classmethod
        def is_email(cls, text: str) -> str:
            text = text.strip().lower()
            if not re.fullmatch(r"[^@\s]+@[^@\s]+\.[a-z]+", text):
                raise ValueError("no e-mail address")
            return text

        @field_validator("mobile_phone")
        @classmethod
        def is_phone(cls, text: str) -> str:
            digits = re.sub(r"\D", "", text)
            if not 10 <= len(digits) <= 11:
                raise ValueError("no phone number")
            return f"+55{digits}"

    good = bad = 0
    for row in read(file):
        try:
            Lead(**{field: row[column] for field, column in FIELDS.items()})
        except ValidationError:
            bad += 1
        else:
            good += 1
    return good, bad


def light_pandas_pandera(file: str) -> tuple[int, int]:
    import pandas as pd
    import pandera.pandas as pa

    schema = pa.DataFrameSchema(
        {
            "E-mail": pa.Column(str, pa.Check.str_matches(r"^[^@\s]+@[^@\s]+\.[a-z]+$")),
            "Celular": pa.Column(str, pa.Check.str_matches(r"^\+55\d{10,11}$")),
            "UF": pa.Column(str, pa.Check.isin(STATES)),
            "Nome": pa.Column(str, pa.Check.str_length(max_value=255)),
        }
    )
    frame = pd.read_csv(file, dtype=str, keep_default_na=False, engine="pyarrow")
    for column in frame.columns:
        frame[column] = frame[column].str.strip()
    frame["E-mail"] = frame["E-mail"].str.lower()
    frame["Celular"] = "+55" + frame["Celular"].str.replace(r"\D", "", regex=True)
    frame["UF"] = frame["UF"].str.upper()
    bad: set[int] = set()
    try:
        schema.validate(frame, lazy=True)
    except pa.errors.SchemaErrors as error:
        bad = set(error.failure_cases["index"])
    return len(frame) - len(bad), len(bad)


CHECKERS = {
    "same-csv-pydantic": same_csv_pydantic,
    "same-pandas-pandera": same_pandas_pandera,
    "light-csv-pydantic": light_csv_pydantic,
    "light-pandas-pandera": light_pandas_pandera,
}

if __name__ == "__main__":
    print(*CHECKERS[sys.argv[1]](sys.argv[2]))
