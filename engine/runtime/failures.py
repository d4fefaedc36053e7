"""Every way a provider can fail, as one."""

from __future__ import annotations

import logging

from engine.providers.contracts import ProviderError

_log = logging.getLogger(__name__)


def as_provider_error(error: Exception, role: str) -> ProviderError:
    """``error`` itself if it is a `ProviderError`; anything else is a bug of the adapter, which is logged."""
    if isinstance(error, ProviderError):
        return error
    _log.error("the %s broke its contract", role, exc_info=error)
    return ProviderError(f"{role}: {type(error).__name__}: {error}")
