"""Which library detects the encoding and delimiter of a contact list best? Ours and others.

    python benchmarks/read_encodings.py

Writes lists of invented people in every encoding and delimiter that matters in Brazil, in several
sizes and kinds, and counts how many of them each judge reads without a wrong character (encoding)
or identifies (delimiter). charset-normalizer, chardet and clevercsv take part if installed.

Measured with 3.5.2, 7.7.0 and 0.8.5 (lists read without a wrong character, of 852 usual ones and of
34 with hardly anything beyond ASCII; delimiters identified, of 96):

    judge               usual  scarce     judge        delimiters
    rdimport              851      34     rdimport             96
    chardet               852      28     clevercsv            96
    charset-normalizer    630      13     csv.Sniffer          80

So none of them is a dependency: the only one that comes close misreads lists in which a single dash
or ordinal is not ASCII, and such lists are common here.
"""

from __future__ import annotations

import csv
import importlib.util
import io
import itertools
import random
import time
from collections import Counter
from collections.abc import Callable, Iterator

from rdimport.source import Hints
from rdimport.source.encoding import guess_encoding
from rdimport.source.text.dialect import find_dialect

FIRST = "Ana Bia João José Conceição Inês Luís Antônio Thaís Zélia Márcia Cauã Íris Ângela".split()
LAST = "Silva Souza Gonçalves Araújo Assunção Leão Brandão Muñoz Müller D'Ávila Sá Peçanha".split()
CITY = ["São Paulo", "Goiânia", "Belém", "Brasília", "Maceió", "Poá", "Foz do Iguaçu", "Recife"]
NOTE = {
    "plain": ["sim", "não", "talvez", ""],
    "marks": ["1ª visita – retornar", "nº 12 “promoção”", "ligar às 9h…", "45° andar", "‘ok’"],
    "money": ["R$ 1.200,50", "€ 90,00", "5% à vista"],
    "upper": ["NÃO LIGAR", "INDICAÇÃO", "ATENÇÃO: CARTÃO", "ÓTIMO"],
    "addresses": ["Rua A, 10, Bloco B", "Av. Brasil, 1.500; fundos", "Praça | térreo, sala 3, Sé"],
    "sparse": ["", "", "", "", "", "", "", "", "", "", "", "", "retornar – urgente", "nº 5"],
}
ENCODINGS = (
    "utf-8 utf-8-sig utf-16 utf-16-le utf-16-be cp1252 latin-1 iso8859-15 mac_roman cp850".split()
)
DELIMITERS = ";,\t|"
SIZES = (2, 10, 100, 2_000)


def table(kind: str, size: int, seed: int) -> list[list[str]]:
    """A list of `size` people; in the kind `sparse`, hardly any name has an accent."""
    rng = random.Random(seed)
    plain = kind == "sparse"
    rows = [["Nome", "E-mail", "Telefone", "Cidade", "Observação" if not plain else "Obs"]]
    for i in range(size):
        name = f"{rng.choice(FIRST)} {rng.choice(LAST)}"
        city = rng.choice(CITY)
        if plain:
            name, city = f"Ana Silva {i}", "Recife"
        phone = f"(11) 9{rng.randrange(10**8):08d}"
        note = rng.choice(NOTE[kind])
        rows.append(
            [name.upper() if kind == "upper" else name, f"p{i}@exemplo.com.br", phone, city, note]
        )
    return rows


def corpus() -> Iterator[tuple[str, str, str, bytes, str]]:
    """(encoding, delimiter, kind, bytes, text) of every list that its encoding can represent."""
    for number, (encoding, delimiter, kind, size) in enumerate(
        itertools.product(ENCODINGS, DELIMITERS, NOTE, SIZES)
    ):
        out = io.StringIO()
        csv.writer(out, delimiter=delimiter).writerows(table(kind, size, number))
        text = out.getvalue()
        try:
            yield encoding, delimiter, kind, text.encode(encoding), text
        except UnicodeEncodeError:
            continue


def scarce() -> Iterator[tuple[str, str, str, bytes, str]]:
    """Lists in plain ASCII except for one word or mark, and UTF-8 ones with one Windows-1252
    byte.
    """
    words = (
        "São Goiânia Belém Maceió Iguaçu João José Inês Thaís Íris NÃO AÇÃO JOSÉ CÂMARA PÃES avô às"
        " 1ª nº 45° – ’ “x” … Muñoz Müller Três ÁREA Época Última"
    ).split()
    for word in words:
        text = f"Nome;E-mail\nAna Silva;ana@exemplo.com.br\n{word};b@exemplo.com.br\n"
        yield "cp1252", ";", "one word", text.encode("cp1252"), text
    for size in SIZES:
        text = "Nome;Cidade\n" + "João;Belém\n" * 10 * size
        yield "utf-8", ";", "one byte", text.encode() + "Inês;Poá".encode("cp1252"), text


def same_text(codec: str | None, data: bytes, text: str) -> bool:
    """Whether the codec returns exactly the text."""
    try:
        if codec and codec.lower().replace("-", "") == "utf8":
            return data.decode(codec, "replace").removeprefix("\ufeff").startswith(text)
        return data.decode(codec or "ascii").removeprefix("\ufeff") == text
    except (UnicodeError, LookupError):
        return False


def encoding_judges() -> dict[str, Callable[[bytes], str | None]]:
    judges: dict[str, Callable[[bytes], str | None]] = {"rdimport": guess_encoding}
    if importlib.util.find_spec("charset_normalizer"):
        from charset_normalizer import from_bytes  # noqa: PLC0415  only if installed

        def normalizer(data: bytes) -> str | None:
            best = from_bytes(data).best()
            return best.encoding if best else None

        judges["charset-normalizer"] = normalizer
    if importlib.util.find_spec("chardet"):
        import chardet  # noqa: PLC0415  only if installed

        judges["chardet"] = lambda data: chardet.detect(data)["encoding"]
    return judges


def delimiter_judges() -> dict[str, Callable[[str], str]]:
    def own(text: str) -> str:
        return find_dialect(text.encode(), Hints(), "x", whole_file=True).shape.delimiter

    def sniffer(text: str) -> str:
        return csv.Sniffer().sniff(text).delimiter

    judges = {"rdimport": own, "csv.Sniffer": sniffer}
    if importlib.util.find_spec("clevercsv"):
        import clevercsv  # noqa: PLC0415  only if installed

        judges["clevercsv"] = lambda text: clevercsv.Sniffer().sniff(text[:20_000]).delimiter
    return judges


def main() -> None:
    lists = list(corpus())
    judge_encodings("usual", lists)
    judge_encodings("scarce", list(scarce()))
    judge_delimiters(lists)


def judge_encodings(title: str, lists: list[tuple[str, str, str, bytes, str]]) -> None:
    print(f"{title}: {len(lists)} lists")
    for name, judge in encoding_judges().items():
        wrong: Counter[str] = Counter()
        start = time.perf_counter()
        for encoding, _, _, data, text in lists:
            if not same_text(judge(data), data, text):
                wrong[encoding] += 1
        seconds = time.perf_counter() - start
        right = len(lists) - wrong.total()
        print(f"encoding  {name:20} {right:4} right, {seconds:6.1f} s, wrong: {dict(wrong)}")


def judge_delimiters(lists: list[tuple[str, str, str, bytes, str]]) -> None:
    texts = [(delimiter, text) for encoding, delimiter, _, _, text in lists if encoding == "utf-8"]
    for name, sniff in delimiter_judges().items():
        missed: Counter[str] = Counter()
        start = time.perf_counter()
        for delimiter, text in texts:
            try:
                found = sniff(text)
            except Exception:  # noqa: BLE001  each judge gives up in its own way
                found = ""
            missed[delimiter] += found != delimiter
        seconds = time.perf_counter() - start
        right = len(texts) - missed.total()
        print(
            f"delimiter {name:20} {right:4} of {len(texts)} right, {seconds:6.1f} s, {dict(missed)}"
        )


if __name__ == "__main__":
    main()
