"""Why a run ended before its rows did."""

from enum import StrEnum


class StopReason(StrEnum):
    """Why a run ended before its rows did."""

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
