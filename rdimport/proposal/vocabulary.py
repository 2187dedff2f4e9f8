"""Typical column headings: Portuguese, English and Spanish words for each RD field.

All words are in the form of `words_of`: no case, accents or punctuation. If several entries match a
heading, the first one counts, so the more specific field comes first.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from rdimport.core.names import without_accents


class Holds(StrEnum):
    """What a column may contain: an RD field, or something that has to be converted to one."""

    EMAIL = "email"
    FIRST_NAME = "first_name"
    MIDDLE_NAME = "middle_name"
    LAST_NAME = "last_name"
    NAME = "name"
    MOBILE = "mobile_phone"
    LANDLINE = "personal_phone"
    PHONE = "phone"
    AREA = "area_code"
    COUNTRY_CODE = "country_code"
    CITY_STATE = "city_state"
    CITY = "city"
    STATE = "state"
    COUNTRY = "country"
    COMPANY = "company_name"
    SITE_OF_COMPANY = "company_site"
    ADDRESS = "company_address"
    JOB = "job_title"
    WEBSITE = "website"
    LINKEDIN = "linkedin"
    FACEBOOK = "facebook"
    TWITTER = "twitter"
    TAGS = "tags"
    CONSENT = "consent"
    TRAFFIC_SOURCE = "traffic_source"
    TRAFFIC_MEDIUM = "traffic_medium"
    TRAFFIC_CAMPAIGN = "traffic_campaign"
    TRAFFIC_VALUE = "traffic_value"


NAMES: Final = frozenset({Holds.NAME, Holds.FIRST_NAME, Holds.MIDDLE_NAME, Holds.LAST_NAME})
WHOLE_NAMES: Final = frozenset(
    {"nome completo", "full name", "nombre completo", "nome e sobrenome"}
)
"""Headings of names that are complete."""
PHONES: Final = frozenset({Holds.PHONE, Holds.MOBILE, Holds.LANDLINE})


@dataclass(frozen=True, slots=True)
class Entry:
    """One kind of heading.

    `words` are whole headings, the best first; `pattern` is searched for inside a heading; `but`
    excludes headings that match it.
    """

    holds: Holds
    words: tuple[str, ...]
    pattern: str = ""
    but: str = ""


def of_either(heading: str) -> str:
    """The heading without the endings of the other gender: `Nome do(a) aluno(a)`, `Sócio/a`."""
    return _OTHER_GENDER.sub("", heading)


def camel_apart(heading: str) -> str:
    """The heading with spaces in camelCase; `NãO` and `PROFISSãO`, whose capitals a program made
    without regard to accents, stay whole.
    """
    return _CAMEL.sub(lambda word: _HUMP.sub(" ", word[0]), heading)


_CAMEL: Final = re.compile(r"[^\W\d_]*[a-z][^\W\d_]*")
_HUMP: Final = re.compile(r"(?<=[a-zà-ÿ])(?=[A-Z])")


def words_of(heading: str) -> str:
    """The words of a heading, folded, without punctuation and brackets; camelCase is split."""
    apart = camel_apart(_of_system(of_either(heading)))
    apart = re.sub(r"(?<=[^\W\d_]{3})(?=\d)", " ", apart)
    without = re.sub(r"\([^)]*\)|\[[^\]]*\]", " ", apart)
    plain = without_accents(without if re.search(r"\w", without) else apart).casefold()
    words = " ".join(re.sub(r"[^a-z0-9/]+", " ", plain).replace("/", " / ").split())
    return words.replace("whats app", "whatsapp").replace("linked in", "linkedin")


_OTHER_GENDER: Final = re.compile(
    r"(?<=\w)\s?\((?:as?|os?|es?)\)|(?<=[^\W\d_]{3})/as?\b", re.IGNORECASE
)
_PREFIXES: Final = {
    "nm": "nome", "no": "nome", "nome": "nome", "ds": "", "dsc": "", "des": "", "tx": "", "txt": "",
    "nr": "numero", "nu": "numero", "num": "numero", "cd": "codigo", "cod": "codigo", "sg": "",
    "dt": "data", "tp": "tipo", "vl": "valor", "vr": "valor", "st": "status", "fl": "status",
    "in": "status", "ic": "status", "id": "id", "qt": "quantidade",
}  # fmt: skip
"""Prefixes of database columns: `NM_CLIENTE`, `DS_EMAIL`, `NR_TELEFONE`, `SG_UF`."""
_PROTHEUS: Final = {
    "nome": "nome", "nreduz": "nome fantasia", "tel": "telefone", "mun": "municipio", "est": "uf",
    "end": "endereco", "bairro": "bairro", "cgc": "cnpj", "contato": "contato do cliente",
}  # fmt: skip
"""Columns of the tables of customers (SA1) and contacts (SU5) in TOTVS Protheus."""


def _of_system(heading: str) -> str:
    """The plain name of a database column; other headings unchanged."""
    protheus = re.fullmatch(r"\s*(?:[AU]\d_|AI\d_)(\w+)\s*", heading)
    if protheus:
        return _PROTHEUS.get(protheus[1].lower(), protheus[1])
    prefix, mark, rest = heading.strip().partition("_")
    if mark and prefix.lower() in _PREFIXES and prefix.isupper() == rest.isupper():
        return f"{_PREFIXES[prefix.lower()]} {rest}"
    return heading


_PERSON: Final = (
    "pessoa|person|cliente|aluno|paciente|participante|contato|contacto|lead|responsavel|interessado|candidato|"
    "comprador|decisor|titular|associado|inscrito|convidado|visitante|assinante|socio|morador|"
    "hospede|usuario|user|contact|condomin[oa]|doador|cooperado|filiado|segurado|eleitor|locatario|"
    "formando|docente|voluntario|palestrante|donor|customer|client|attendee|patient|tutor|your|seu|"
    "student|member|guest|buyer|estudante|membro|convidada|cidadao"
)
"""Words for the people on a list; also headings for their names."""

_OTHER: Final = (
    r"\b(?:filho|filha|aluno|mae|pai|conjuge|vendedor|vendedora|atendente|consultor|corretor|"
    r"indicado|anterior|antigo|nota|nf|nfe|boleto fiscal|sms|interesse|pretendid[ao]|desejad[ao]|"
    r"natal|nascimento|entregue|ad|anuncio|imovel|produto|evento|curso|loja|plano)\b"
)
"""Words that show that a heading is about someone or something else."""

VOCABULARY: Final = (
    Entry(
        Holds.EMAIL,
        ("email", "e mail", "mail", "e mails", "emails", "correio eletronico",
         "correo electronico", "endereco eletronico", "email address", "e mail address", "correo",
         "correo", "endereco de email", "endereco de e mail"),
        r"\b(?:e ?mails?|correio eletronico|correo(?: electronico)?|endereco eletronico|mail)\b",
        but=r"\b(?:nf|nfe|nf e|status|data|date|sent|enviad\w+|aberto|opened|vendedor|consultor|"
            r"filho|aceita|marketing|bounce|verificado|verified|valido|recuperacao|owner|"
            r"proprietari[oa]|domain|dominio|assunto|subject|template)\b",
    ),
    Entry(Holds.TRAFFIC_SOURCE, ("utm source", "traffic source"), r"\butm source\b"),
    Entry(Holds.TRAFFIC_MEDIUM, ("utm medium", "traffic medium"), r"\butm medium\b"),
    Entry(
        Holds.TRAFFIC_CAMPAIGN,
        ("utm campaign", "traffic campaign", "campaign name"),
        r"\b(?:utm campaign|campaign name)\b",
    ),
    Entry(Holds.TRAFFIC_VALUE, ("utm term", "traffic value"), r"\butm term\b"),
    Entry(
        Holds.LINKEDIN, ("linkedin", "linkedin url", "perfil linkedin"), r"\blinkedin\b"
    ),
    Entry(Holds.FACEBOOK, ("facebook", "fan page", "facebook url"), r"\bfacebook\b",
          but=r"\b(?:id|ad|campaign|campanha)\b"),
    Entry(Holds.TWITTER, ("twitter", "twitter url"), r"\btwitter\b"),
    Entry(
        Holds.SITE_OF_COMPANY,
        ("site da empresa", "company site", "company website", "website da empresa",
         "sitio web de la empresa"),
        r"\b(?:web)?site (?:da|de la|do|of the) (?:empresa|loja|company)\b",
    ),
    Entry(
        Holds.WEBSITE,
        ("website", "site", "web site", "pagina web", "sitio web", "url", "homepage", "web"),
        r"",
    ),
    Entry(
        Holds.MOBILE,
        ("celular", "whatsapp", "celular / whatsapp", "whats", "zap", "wpp", "cel", "cell",
         "mobile phone", "mobile", "cell phone", "telefone celular", "telefone movel",
         "telefono movil", "movil", "fone celular", "whatsapp / celular", "mobile number",
         "telemovel", "cellular", "handphone", "mobile no", "numero celular", "numero whatsapp",
         "sms"),
        r"\b(?:celular(?:es)?|telemove(?:l|is)|cellular|whats ?app|whats|zap|wpp|"
        r"mobile|cell|cel|movil|movel)\b",
        but=r"\b(?:fone|tel|telefone|operadora|modelo|marca|grupo|group) / |/ (?:fone|telefone|"
            r"tel|zap|whatsapp|whats|celular)\b(?<!celular / whatsapp)(?<!whatsapp / celular)|"
            r"\b(?:operadora|modelo|marca|grupo|group|filho|aceita|vendedor)\b",
    ),
    Entry(
        Holds.LANDLINE,
        ("telefone fixo", "fixo", "fone residencial", "telefone residencial", "home phone",
         "landline", "telefono fijo"),
        r"\b(?:telefone|fone|tel) (?:fixo|residencial)\b|\b(?:home phone|landline|telefono fijo)\b",
    ),
    Entry(
        Holds.PHONE,
        ("telefone", "fone", "tel", "phone", "phone number", "telefono", "telefones",
         "telefone comercial", "numero de telefone", "telefone / whatsapp", "contato",
         "contato telefonico", "numero de contato", "numero para contato", "contact number",
         "contato principal"),
        r"\b(?:telefones?|fones?|tel|phones?|telefonos?|telephone)\b",
        but=r"\b(?:operadora|tipo|type|vendedor|consultor|filho|owner|proprietari[oa]|label)\b",
    ),
    Entry(
        Holds.AREA,
        ("ddd", "codigo de area", "codigo area", "cod area", "area code", "prefixo",
         "codigo ddd", "dd"),
        r"^(?:ddd|codigo de area|area code|prefixo)\b|\bddd$",
        but=r"\b(?:com ddd|e telefone|telefone com|celular com)\b",
    ),
    Entry(
        Holds.COUNTRY_CODE,
        ("ddi", "codigo do pais", "codigo pais", "country code", "dial code", "calling code",
         "codigo de pais"),
        r"^ddi\b|\bddi$",
    ),
    Entry(
        Holds.CITY_STATE,
        ("cidade / uf", "cidade uf", "cidade / estado", "municipio / uf", "city / state",
         "cidade e estado", "localidade"),
        r"\b(?:cidade|municipio|city|ciudad) (?:/ |e )?(?:uf|estado|state|provincia)\b",
        but=_OTHER,
    ),
    Entry(
        Holds.CITY,
        ("cidade", "city", "municipio", "ciudad", "localidad", "localidade", "town"),
        r"\b(?:cidade|city|municipio|ciudad)\b",
        but=_OTHER,
    ),
    Entry(
        Holds.STATE,
        ("uf", "estado", "state", "state / province", "estado / uf", "uf / estado", "provincia",
         "province", "unidade da federacao", "unidade federativa", "sigla uf", "sigla do estado"),
        r"\b(?:uf|estado|state|province code|state code)\b",
        but=_OTHER + r"|\b(?:civil|de saude|pedido|order|do lead|conservacao)\b",
    ),
    Entry(Holds.COUNTRY, ("pais", "country"), r"\b(?:pais|country)\b",
          but=_OTHER + r"|\b(?:code|nome|nomes|telefone|dos)\b"),
    Entry(
        Holds.JOB,
        ("cargo", "job title", "cargo / funcao", "funcao", "profissao", "ocupacao", "puesto",
         "position", "cargo atual", "designation", "profesion", "job", "organization title",
         "org title", "titulo do cargo"),
        r"\b(?:cargo|job title|funcao|profissao|puesto|cargo atual)\b|"
        r"\b(?:organization|organizacao|company|org)(?: \d+)? (?:title|cargo|titulo)\b",
        but=r"\b(?:interesse|pretendid[ao]|desejad[ao]|vaga|data|setor|area)\b",
    ),
    Entry(
        Holds.ADDRESS,
        ("endereco", "logradouro", "address", "direccion", "endereco completo",
         "endereco comercial", "company address", "rua"),
        r"\b(?:endereco completo|endereco comercial|company address|street address)\b",
        but=r"\b(?:ip|eletronico|e ?mail|site|entrega|cobranca|web)\b",
    ),
    Entry(
        Holds.COMPANY,
        ("empresa", "razao social", "company", "company name", "nome da empresa", "organizacao",
         "organization", "organisation", "nome fantasia", "fantasia", "compania", "employer",
         "restaurante", "empresa cliente", "account name", "nome empresa"),
        r"\b(?:empresa|razao social|company|organizacao|organization|nome fantasia)\b",
        but=r"\b(?:segmento|porte|site|tamanho|setor|ramo|cnpj|cidade|uf|estado|size|industry|"
            r"id|tipo|type|faturamento|telefone|phone|fone|e ?mail|funcionarios|area|owner|"
            r"proprietari[oa]|responsavel|vendedor|consultor|contato|contact|title|titulo|cargo|"
            r"department|departamento|domain|dominio|status|endereco|address|city|state|country|"
            r"pais|cep|zip|bairro|numero|number|role|funcao|notes|notas|descricao|description|"
            r"revenue|employees|yomi|phonetic|linkedin|facebook|instagram|website|lista|list)\b",
    ),
    Entry(
        Holds.FIRST_NAME,
        ("primeiro nome", "first name", "firstname", "prenome", "nombres", "given name", "fname"),
        r"\b(?:primeiro nome|first name|given name)\b",
    ),
    Entry(
        Holds.MIDDLE_NAME,
        ("middle name", "additional name", "segundo nome", "nome do meio", "segundo nombre"),
    ),
    Entry(
        Holds.LAST_NAME,
        ("sobrenome", "last name", "lastname", "apellido", "apellidos", "surname", "ultimo nome",
         "family name", "lname"),
        r"\b(?:sobrenome|last name|apellidos?|surname|family name|ultimo nome)\b",
        but=r"\be sobrenome|y apellidos?\b|\bapellidos? (?:y|/) nombres?\b",
    ),
    Entry(
        Holds.NAME,
        ("nome completo", "nome", "name", "full name", "nombre completo", "nombre",
         "nome e sobrenome", "nombre y apellido", "nombre y apellidos", "apellido y nombre",
         "apellidos y nombres", "apellidos y nombre", "apellido / nombre", "contact name",
         "cliente", "billing name",
         "nome do cliente", "nome do contato", "qual o seu nome", "seu nome", "paciente", "aluno",
         "participante", "responsavel", "nome / razao social", "contato", "nome do responsavel",
         "hospede", "associado", "candidato", "morador", "visitante", "inscrito",
         "contact person", "display name", "como podemos te chamar", "nome / razao",
         "contato principal", "pessoa", "pessoa de contato", "sacado", "destinatario"),
        rf"\b(?:nome completo|full name|nombre completo|nome e sobrenome|nombre y apellidos?)\b|"
        rf"^(?:nome|nombre|name) (?:do |da |de |del |d[oa]s )?(?:{_PERSON})\b|"
        rf"^(?:{_PERSON}) (?:/ )?(?:nome|name|nombre)\b|^(?:qual )?(?:o |e o )?seu nome\b|"
        rf"^(?:{_PERSON})(?: a)?$",
        but=r"\b(?:empresa|company|produto|fantasia|evento|arquivo|file|usuario de rede|campanha|"
            r"campaign|ad|grupo|group|filho|pai|mae|vendedor|form|id|social)\b(?<!razao social)",
    ),
    Entry(
        Holds.TAGS,
        ("tags", "tag", "etiquetas", "marcadores", "etiqueta", "marcador", "labels"),
        r"",
    ),
)  # fmt: skip
"""All kinds of headings; a column gets the first that matches."""
