"""Reasons for which a run stops early."""

from enum import StrEnum
from typing import Final


class StopReason(StrEnum):
    """The reason for which a run stopped early."""

    KEY_REFUSED = "key_refused"
    KEY_OF_CRM = "key_of_crm"
    WRONG_ENDPOINT = "wrong_endpoint"
    CERTIFICATE = "certificate"
    ENDPOINT_DOWN = "endpoint_down"
    ENDPOINT_UNCLEAR = "endpoint_unclear"
    ALL_REFUSED = "all_refused"
    ACCOUNT_QUOTA = "account_quota"
    LEAD_QUOTA = "lead_quota"
    LEASE = "lease"
    SIGNAL = "signal"
    MAX_DURATION = "max_duration"
    LIMIT = "limit"
    CANARY = "canary"


AS_ASKED: Final = frozenset({StopReason.CANARY, StopReason.LIMIT})
"""Reasons that are not failures: the run sent as many rows as its options allow."""
