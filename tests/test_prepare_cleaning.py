"""The cleaners: their examples, real-life cells, and properties of all cells."""

from __future__ import annotations

import re
import unicodedata

import phonenumbers
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from stdnum.br import cnpj as library_cnpj
from stdnum.br import cpf as library_cpf
from support.examples import costly

from rdimport.mapping import Clean, FieldSource
from rdimport.prepare.clean import CLEANERS, brazil, clean, email, form, phone
from rdimport.prepare.clean.lazily import distinct, stages
from rdimport.prepare.clean.mangled import unmangled
from rdimport.prepare.clean.text import text
from rdimport.prepare.validate import FORMS


def cleaned(name: Clean, cells: list[str | None], **how: object) -> list[str | None]:
    """Cells after one cleaner, with the keys of a field."""
    source = FieldSource.model_validate({"column": "x", **how})
    frame = pl.DataFrame({"x": cells}, schema={"x": pl.String})
    return frame.select(clean(pl.col("x"), (name,), source)).to_series().to_list()


def one(name: Clean, cell: str, **how: object) -> str | None:
    return cleaned(name, [cell], **how)[0]


def test_every_cleaner_of_the_language_has_its_function_and_examples() -> None:
    assert set(CLEANERS) == set(Clean)
    assert all(cleaner.sentence and cleaner.examples for cleaner in CLEANERS.values())


@pytest.mark.parametrize(
    ("name", "before", "after"),
    [(name, *pair) for name, cleaner in CLEANERS.items() for pair in cleaner.examples],
)
def test_the_examples_of_the_reference_page_are_true(name: Clean, before: str, after: str) -> None:
    assert one(name, before) == after


@pytest.mark.parametrize("name", list(Clean))
def test_a_cell_that_shows_nothing_is_empty_for_every_cleaner(name: Clean) -> None:
    assert cleaned(name, ["", "  ", "\u00a0", "\u200b", None]) == [None] * 5


REAL = {
    Clean.EMAIL: {
        "joao.silva@exemplo.com.br": "joao.silva@exemplo.com.br",
        "JOAO.SILVA@EXEMPLO.COM.BR": "joao.silva@exemplo.com.br",
        "mailto:ana@exemplo.com": "ana@exemplo.com",
        "'ana@exemplo.com'": "ana@exemplo.com",
        "ana@exemplo.com.": "ana@exemplo.com",
        "ana@exemplo.com;": "ana@exemplo.com",
        "ana @exemplo.com": "ana@exemplo.com",
        '"Souza, Ana" <ana@exemplo.com>': "ana@exemplo.com",
        "E-mail: ana@exemplo.com": "ana@exemplo.com",
        "\u200bana@exemplo.com": "ana@exemplo.com",
        "conceição@exemplo.com": "conceicao@exemplo.com",
        "ａｎａ＠exemplo.com": "ana@exemplo.com",
        "ana+feira@exemplo.com": "ana+feira@exemplo.com",
        "ana@exemplo.com; bia@exemplo.com": "ana@exemplo.com; bia@exemplo.com",
        "não tem": "não tem",
        "ana@": "ana@",
        "ana @ exemplo . com": "ana@exemplo.com",
        "ana@exemplo. com. br": "ana@exemplo.com.br",
        "ana@exemplo.com\u00a0\n": "ana@exemplo.com",
        "ana\u00adsouza@exemplo.com": "anasouza@exemplo.com",
        "mailto:ana@exemplo.com?subject=Oi": "ana@exemplo.com",
        "ana@exemplo.com <ana@exemplo.com>": "ana@exemplo.com",
        "Ana (ana@exemplo.com)": "ana@exemplo.com",
        "o'neil@exemplo.com": "o'neil@exemplo.com",
    },
    Clean.PHONE: {
        "11987654321": "+5511987654321",
        "(11) 98765-4321": "+5511987654321",
        "(011) 98765-4321": "+5511987654321",
        "0 15 11 98765-4321": "+5511987654321",
        "0xx11 98765 4321": "+5511987654321",
        "+55 11 98765-4321": "+5511987654321",
        "+55 (0)11 98765-4321": "+5511987654321",
        "005511987654321": "+5511987654321",
        "5511987654321": "+5511987654321",
        "11 98765–4321": "+5511987654321",
        "11.98765.4321": "+5511987654321",
        "Tel: 11 98765-4321": "+5511987654321",
        "11 8765-4321": "+5511987654321",
        "11 3456-7890": "+551134567890",
        "11 3456-7890 ramal 123": "+551134567890",
        "(55) 3222-1234": "+555532221234",
        "55 55 99123-4567": "+5555991234567",
        "0800 123 4567": "+558001234567",
        "+1 415 555 2671": "+14155552671",
        "0041 44 668 18 00": "+41446681800",
        "98765-4321": "98765-4321",
        "(10) 98765-4321": "(10) 98765-4321",
        "11 3456-7890 / 11 98765-4321": "11 3456-7890 / 11 98765-4321",
        "não informado": "não informado",
    },
    Clean.UF: {
        "SP": "SP",
        "sp": "SP",
        " Sp. ": "SP",
        "São Paulo": "SP",
        "SAO PAULO": "SP",
        "Estado de São Paulo": "SP",
        "Rio Grande do Sul": "RS",
        "Ceará": "CE",
        "Curitiba - PR": "PR",
        "SP - São Paulo": "SP",
        "SP-São Paulo": "SP",
        "MG (Minas Gerais)": "MG",
        "Minas Gerais (MG)": "MG",
        "GO – Goiás": "GO",
        "PR/Paraná": "PR",
        "35 - São Paulo": "SP",
        "35-SP": "SP",
        "BR-SP": "SP",
        "MT - Mato Grosso do Sul": "MT - Mato Grosso do Sul",
        "35 - Paraná": "35 - Paraná",
        "Ontario": "Ontario",
    },
    Clean.CITY: {
        "SÃO JOSÉ DOS CAMPOS": "São José dos Campos",
        "campinas": "Campinas",
        "Campinas/SP": "Campinas",
        "Campinas - SP": "Campinas",
        "Ji-Paraná": "Ji-Paraná",
        "Embu das Artes": "Embu das Artes",
    },
    Clean.NAME: {
        "MARIA DA SILVA E SOUZA": "Maria da Silva e Souza",
        "josé de la cruz": "José de la Cruz",
        "JOANA D'ARC": "Joana D'Arc",
        "JOÃO PAULO II": "João Paulo II",
        "DA COSTA": "Da Costa",
        "Ana McDonald": "Ana McDonald",
        "ANA-MARIA": "Ana-Maria",
        "ÍTALO ÁVILA NETO": "Ítalo Ávila Neto",
    },
    Clean.NUMBER: {
        "10": "10",
        "1.234.567": "1234567",
        "1.234,5": "1234.5",
        "12,50": "12.50",
        "R$ 0,99": "0.99",
        "US$ 1,234.50": "1234.50",
        "-3": "-3",
        "3-": "-3",
        "1.234": "1.234",
        "1,2,3": "1,2,3",
        "1-2": "1-2",
        "10 mil": "10 mil",
    },
    Clean.DATE: {
        "31/12/2026": "2026-12-31",
        "1/2/26": "2026-02-01",
        "2026-12-31": "2026-12-31",
        "2026-12-31 10:11:12": "2026-12-31",
        "2026-12-31T10:11:12Z": "2026-12-31",
        "31-dez-26": "2026-12-31",
        "31.12.2026": "2026-12-31",
        "31/02/2026": "31/02/2026",
        "12/31/2026": "12/31/2026",
        "45000": "45000",
        "ontem": "ontem",
    },
    Clean.CPF: {
        "390.533.447-05": "390.533.447-05",
        "1234567890": "012.345.678-90",
        "390533447": "003.905.334-47",
        "39053344705x": "39053344705x",
    },
    Clean.CNPJ: {
        "11.222.333/0001-81": "11.222.333/0001-81",
        "12.ABC.345/01DE-35": "12.ABC.345/01DE-35",
        "12.ABC.345/01DE-36": "12.ABC.345/01DE-36",
        "isento": "isento",
    },
    Clean.CEP: {"01310100": "01310-100", "1310100": "01310-100", "01310-100": "01310-100"},
    Clean.BOOLEAN: {
        "SIM": "true",
        "não": "false",
        "NAO": "false",
        "1": "true",
        "0": "false",
        "Verdadeiro": "true",
        "no": "false",
        "talvez": "talvez",
    },
    Clean.URL: {
        "exemplo.com.br": "https://exemplo.com.br",
        "HTTP://EXEMPLO.COM.BR/A": "http://exemplo.com.br/A",
        "https:/exemplo.com": "https://exemplo.com",
        "ana@exemplo.com": "ana@exemplo.com",
        "não tem": "não tem",
    },
}


@pytest.mark.parametrize(("name", "table"), REAL.items())
def test_cells_as_people_write_them(name: Clean, table: dict[str, str]) -> None:
    assert dict(zip(table, cleaned(name, list(table)), strict=True)) == table


AMONG_WORDS = {
    "ana@exemplo.com Souza": "ana@exemplo.com",
    "Ana Souza": None,
    "ana@exemplo.com.br (trabalho)": "ana@exemplo.com.br",
    "ana@exemplo.com. Ligar depois": "ana@exemplo.com",
    "ana@exemplo.com 11 98765-4321": "ana@exemplo.com",
    "Ana Souza - ana@exemplo.com": "ana@exemplo.com",
    "Contato: ana@exemplo.com": "ana@exemplo.com",
    "Ana <ana@exemplo.com>": None,
    "ana@exemplo.com;": None,
}


def test_an_address_is_taken_out_of_words_and_reported() -> None:
    cells = pl.DataFrame({"x": list(AMONG_WORDS)})
    texts = cells.select(email.from_text(pl.col("x"))).to_series().to_list()
    assert texts == [address is not None for address in AMONG_WORDS.values()]
    taken = dict(zip(AMONG_WORDS, cleaned(Clean.EMAIL, list(AMONG_WORDS)), strict=True))
    assert {cell: taken[cell] for cell, address in AMONG_WORDS.items() if address} == {
        cell: address for cell, address in AMONG_WORDS.items() if address
    }


@pytest.mark.parametrize(
    "cell",
    [
        "maria silva@exemplo.com",
        "Maria Silva maria@exemplo.com",
        "Sra. maria@exemplo.com",
        "maria,silva@exemplo.com",
        "maria>silva@exemplo.com",
        "maria\nsilva@exemplo.com",
        "ma\u200bria@exemplo.com",
        "m a r i a@exemplo.com",
        "maria@exa mple.com",
        "maria@exemplo.com br",
        "maria@exemplo.com,br",
        "maria@exemplo,com",
        "maria@gmail com",
        "maria@exämple.com",
        "maria@hotmáil.com",
        "maria@@exemplo.com",
        "maria@exemplo.com ana@exemplo.com",
    ],
)
def test_what_may_be_a_piece_of_the_address_is_never_left_out(cell: str) -> None:
    after = cleaned(Clean.EMAIL, [cell])
    good = FORMS[Clean.EMAIL][1](pl.col("x"))
    assert not pl.DataFrame({"x": after}).select(good).item(), after


WORDS = st.sampled_from(["Maria", "silva", "m", "br", "com", "x.com", "e-mail", "João", "11"])
MARKS = st.sampled_from(
    ["@", "@", ".", " ", " ", ",", ";", ":", "<", ">", "-", "\n", "\u00a0", "\u200b", "(", ")", "'"]
)


@given(st.lists(WORDS | MARKS, max_size=12).map("".join), st.booleans())
@settings(max_examples=costly(300))
def test_an_address_is_one_piece_of_its_cell(cell: str, first: bool) -> None:
    address = one(Clean.EMAIL, cell, **({"several": "first"} if first else {}))
    frame = pl.DataFrame({"x": [address]}, schema={"x": pl.String})
    if address is None or not frame.select(FORMS[Clean.EMAIL][1](pl.col("x"))).item():
        return
    plain = unicodedata.normalize("NFKD", cell.lower())
    bare = "".join(c for c in plain if not unicodedata.combining(c))
    assert address in re.sub(r"[\s\u200b]*([@.])[\s\u200b]*", r"\1", bare)


def test_of_several_addresses_or_numbers_the_mapping_may_take_the_first() -> None:
    two = "Ana <ana@exemplo.com>; bia@exemplo.com"
    assert one(Clean.EMAIL, two, several="first") == "ana@exemplo.com"
    for numbers in ("11 3456-7890 / 11 98765-4321", "11 3456-7890 ou 98765-4321"):
        assert one(Clean.PHONE, numbers, several="first") == "+551134567890"


@pytest.mark.parametrize("cell", ["maria ana@x.com; zz@x.com", "maria zz@x.com; ana@x.com"])
def test_the_first_of_several_is_not_passed_over_for_one_that_stands_alone(cell: str) -> None:
    assert one(Clean.EMAIL, cell, several="first") == cell


@pytest.mark.parametrize("cell", ["ana@x.com,@anasilva", "ana@x.com; @anasilva"])
def test_a_handle_beside_an_address_is_taken_for_no_address(cell: str) -> None:
    assert "@anasilva" in str(one(Clean.EMAIL, cell))
    assert one(Clean.EMAIL, cell, several="first") == "ana@x.com"


def test_slips_of_big_providers_are_corrected_only_if_the_mapping_says_so() -> None:
    assert one(Clean.EMAIL, "ana@gmial.com") == "ana@gmial.com"
    assert one(Clean.EMAIL, "ana@gmial.com", correct_typos=True) == "ana@gmail.com"
    assert one(Clean.EMAIL, "ana@gmail.com", correct_typos=True) == "ana@gmail.com"
    assert not set(email.TYPOS) & set(email.TYPOS.values())


def test_a_number_without_area_code_gets_the_one_of_the_mapping() -> None:
    for local in ("9 8765-4321", "8765-4321", "98765 4321"):
        assert one(Clean.PHONE, local, default_area="11") == "+5511987654321"
    assert one(Clean.PHONE, "3456-7890", default_area="21") == "+552134567890"
    assert one(Clean.PHONE, "(11) 3456-7890", default_area="21") == "+551134567890"


def test_numbers_of_another_country_are_read_as_there() -> None:
    assert one(Clean.PHONE, "912 345 678", default_country="PT") == "+351912345678"
    assert one(Clean.PHONE, "+55 11 98765-4321", default_country="PT") == "+5511987654321"


def test_the_decimal_mark_settles_what_a_point_means() -> None:
    assert one(Clean.NUMBER, "1.234", decimal=",") == "1234"
    assert one(Clean.NUMBER, "1.234", decimal=".") == "1.234"
    assert one(Clean.NUMBER, "1,234", decimal=".") == "1234"
    assert one(Clean.NUMBER, "12,50", decimal=",") == "12.50"
    assert one(Clean.NUMBER, "12,50", decimal=".") == "12,50"


def test_dates_are_written_as_the_mapping_wants() -> None:
    assert one(Clean.DATE, "2026-12-31", date_format="%d/%m/%Y") == "31/12/2026"
    assert one(Clean.DATE, "12/31/2026", date_format="%m/%d/%Y") == "12/31/2026"


MOBILE, FIXED_LINE = phonenumbers.PhoneNumberType.MOBILE, phonenumbers.PhoneNumberType.FIXED_LINE
ANY = st.text(max_size=25)
LIKELY = st.text("0123456789 ()+-.,/xXaAãÇ@;<>:R$'\u00a0", max_size=25)
PHONES = st.from_regex(
    r"(\+?55 ?)?(\(?0?(xx)?[1-9][1-9]\)? ?)?9?[0-9]{4}[- ]?[0-9]{4}", fullmatch=True
)


PLAIN = FieldSource.model_validate({"column": "x"})
EVERY = [clean(pl.col(name), (name,), PLAIN) for name in Clean]
"""Each cleaner over a column with its name."""


def by_all(columns: pl.DataFrame) -> pl.DataFrame:
    return columns.select(EVERY)


def spread(cells: list[str]) -> pl.DataFrame:
    return pl.DataFrame(dict.fromkeys(Clean, cells), schema=dict.fromkeys(Clean, pl.String))


CELLS = st.lists(st.one_of(ANY, LIKELY, PHONES), min_size=2, max_size=12)


@settings(deadline=None, max_examples=costly(60))
@given(CELLS)
def test_cleaning_twice_changes_nothing_more(cells: list[str]) -> None:
    once = by_all(spread(cells))
    twice = by_all(once)
    assert {n: once[n].to_list() for n in Clean} == {n: twice[n].to_list() for n in Clean}


@settings(deadline=None, max_examples=costly(25))
@given(CELLS)
def test_a_cell_is_cleaned_alike_alone_and_among_others(cells: list[str]) -> None:
    together = by_all(spread(cells))
    alone = pl.concat([by_all(spread([cell])) for cell in cells])
    assert together.rows() == alone.rows()


@settings(deadline=None, max_examples=costly(120))
@given(st.lists(PHONES, min_size=1, max_size=20))
def test_brazils_numbers_by_pattern_are_those_that_the_library_accepts(cells: list[str]) -> None:
    numbers = pl.DataFrame({"x": cleaned(Clean.PHONE, list(cells))}, schema={"x": pl.String})
    known = numbers.select(phone.is_number(pl.col("x"))).to_series().to_list()
    form = phonenumbers.PhoneNumberFormat.E164
    for cell, number, good in zip(cells, numbers["x"], known, strict=True):
        if good:
            parsed = phonenumbers.parse(number)
            assert phonenumbers.is_valid_number(parsed), (cell, number)
            assert phonenumbers.format_number(parsed, form) == number
        else:
            try:
                by_library = phonenumbers.parse(cell, "BR")
            except phonenumbers.NumberParseException:
                continue
            kind = phonenumbers.number_type(by_library)
            assert kind not in {MOBILE, FIXED_LINE}, (cell, number)


@given(st.sampled_from(phone.AREAS), st.integers(0, 10**8 - 1))
def test_every_number_of_the_numbering_plan_is_taken_by_pattern_and_by_library(
    area: str, last: int
) -> None:
    number = one(Clean.PHONE, f"({area}) 9{last:08d}")
    assert number == f"+55{area}9{last:08d}"
    by_library = phonenumbers.parse(f"({area}) 9{last:08d}", "BR")
    assert phonenumbers.is_possible_number(by_library)


@settings(deadline=None, max_examples=costly(120))
@given(st.lists(PHONES | st.text("0159()+- ./x", max_size=14), min_size=1, max_size=20))
def test_the_quick_looks_at_a_phone_number_say_what_the_closer_ones_would(cells: list[str]) -> None:
    cell = pl.col("x")
    closer = (
        phone._usual,
        lambda c: phone._usual(unmangled(c)),
        lambda c: phone._unusual(text(c), None, first=False),
        lambda c: pl.when(c.str.contains(phone._FOREIGN).not_()).then(text(c)),
        lambda c: distinct(text(c), lambda value: phone._by_library(value, "BR")),
    )
    frame = pl.DataFrame({"x": cells}, schema={"x": pl.String})
    slow = frame.select(stages(cell, *closer)).to_series().to_list()
    assert cleaned(Clean.PHONE, list(cells)) == slow


@settings(deadline=None, max_examples=costly(120))
@given(st.lists(st.text("0123456789", min_size=11, max_size=11), max_size=20))
def test_cpf_check_digits_agree_with_the_library(numbers: list[str]) -> None:
    right = [n[:9] + d for n in numbers for d in [_digits_of_cpf(n[:9])] if d]
    forms = pl.DataFrame({"x": cleaned(Clean.CPF, [*numbers, *right])}, schema={"x": pl.String})
    verdicts = forms.select(brazil.is_cpf(pl.col("x"))).to_series().to_list()
    assert verdicts == [library_cpf.is_valid(number) for number in [*numbers, *right]]
    assert all(verdicts[len(numbers) :])


def _digits_of_cpf(base: str) -> str | None:
    every = (f"{digits:02d}" for digits in range(100))
    return next((digits for digits in every if library_cpf.is_valid(base + digits)), None)


@settings(deadline=None, max_examples=costly(120))
@given(st.text("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ", min_size=12, max_size=12))
def test_cnpj_check_digits_agree_with_the_library(base: str) -> None:
    right = base + library_cnpj.calc_check_digits(base)
    wrong = right[:-1] + str((int(right[-1]) + 1) % 10)
    written = [library_cnpj.format(right), library_cnpj.format(wrong)]
    verdicts = pl.DataFrame({"x": written}).select(brazil.is_cnpj(pl.col("x")))
    assert verdicts.to_series().to_list() == [library_cnpj.is_valid(right), False]
    assert cleaned(Clean.CNPJ, [right.lower()]) == [library_cnpj.format(right)]


def test_check_digits_of_a_cnpj_are_ascii() -> None:
    written = pl.DataFrame({"x": ["00.000.000/0037-00", "00.000.000/0037-٠٠"]})
    assert written.select(brazil.is_cnpj(pl.col("x"))).to_series().to_list() == [True, False]


def test_every_form_that_a_cleaner_aims_at_has_a_check() -> None:
    free = {Clean.NONE, Clean.TEXT, Clean.LOWER, Clean.NAME, Clean.CITY, Clean.TAGS, Clean.SOCIAL}
    assert set(FORMS) == set(Clean) - free


@pytest.mark.parametrize(
    ("cell", "digits"),
    [
        ("11987654321.0", "11987654321"),
        ("119876543210,00", "119876543210"),
        ("1.1987654321E+10", "11987654321"),
        ("1,1987654321e10", "11987654321"),
        ("1.198765432E+10", "11987654320"),
        ("1.19877E+10", None),
        ("1.19876543219E+10", None),
        ("11987654321", None),
        ("1.5", None),
    ],
)
def test_digits_that_a_spreadsheet_took_for_a_number_come_back(
    cell: str, digits: str | None
) -> None:
    assert pl.select(unmangled(pl.lit(cell))).item() == digits


@given(st.integers(10**9, 10**13 - 1))
def test_a_number_with_all_its_digits_always_comes_back(number: int) -> None:
    written = f"{number:.{len(str(number)) - 1}E}"
    assert pl.select(unmangled(pl.lit(written))).item() == str(number)


@pytest.mark.parametrize(
    ("cell", "items"),
    [
        ('"Cliente VIP","Feira"', ["Cliente VIP", "Feira"]),
        ("['a', 'b']", ["a", "b"]),
        ("{a,b}", ["a", "b"]),
        ("a, b", ["a", "b"]),
        ("[a], [b]", ["[a]", "[b]"]),
        ("d'água, 5\" tela", ["d'água", '5" tela']),
        ("[]", None),
    ],
)
def test_items_lose_the_quotes_and_brackets_of_a_program(
    cell: str, items: list[str] | None
) -> None:
    frame = pl.DataFrame({"x": [cell]})
    found = frame.select(form.unique(form.items(pl.col("x"), ",")))
    assert found.item() is None if items is None else found.to_series().to_list() == [items]


NUMBERS = {
    "+5511987654321": True,
    "+551134567890": True,
    "+558001234567": True,
    "+5511187654321": False,
    "+351912345678": True,
    "+12025550123": True,
    "+351000000000": False,
    "+99912345678": False,
    "+0": False,
    "(11) 98765-4321": False,
    "ramal": False,
}


@pytest.mark.parametrize("only", ["all", "here", "abroad", "none"])
def test_a_number_is_one_that_exists_here_or_abroad(only: str) -> None:
    kinds = {"all": "", "here": "+55", "abroad": "+351", "none": "ramal"}
    cells = [number for number in NUMBERS if number.startswith(kinds[only])]
    found = pl.DataFrame({"x": [*cells, None]}).select(phone.is_number(pl.col("x"))).to_series()
    assert found.dtype == pl.Boolean
    assert [bool(good) for good in found] == [*(NUMBERS[cell] for cell in cells), False]


def test_a_kind_of_number_is_a_landline_or_any_other() -> None:
    cells = ["+5511987654321", "+551134567890", "+558001234567", "+351912345678"]
    frame = pl.DataFrame({"x": cells})
    landlines = frame.select(phone.of_kind(pl.col("x"), "landline")).to_series().to_list()
    others = frame.select(phone.of_kind(pl.col("x"), "mobile")).to_series().to_list()
    assert landlines == [None, *cells[1:3], None]
    assert others == [cells[0], None, None, cells[3]]


@pytest.mark.parametrize("cell", ["sem telefone", "+", "+999 1", "0"])
def test_what_is_no_number_of_another_country_is_left(cell: str) -> None:
    assert one(Clean.PHONE, cell, default_country="PT") == cell


def test_the_domain_is_all_behind_the_first_at() -> None:
    cells = pl.DataFrame({"x": ["a@b.com@c.com", "a@b.com", "nobody"]})
    assert cells.select(email.domain(pl.col("x"))).to_series().to_list() == [
        "b.com@c.com",
        "b.com",
        None,
    ]
