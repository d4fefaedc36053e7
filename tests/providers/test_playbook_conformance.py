"""The playbook model keeps the contract of a language model."""

from __future__ import annotations

import pytest

from engine.providers.llm.playbook import PlaybookModel
from tests.providers.model_conformance import PLAYBOOK, Make, ModelConformance


class TestPlaybookModel(ModelConformance):
    @pytest.fixture
    def make(self) -> Make:
        return lambda first_token_ms=0, tokens_per_second=None: PlaybookModel(
            PLAYBOOK, first_token_ms=first_token_ms, tokens_per_second=tokens_per_second
        )
