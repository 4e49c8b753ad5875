"""The default model, opened once for all tests of this folder."""

from __future__ import annotations

import pytest

from attention_filter.models import e5_weights
from attention_filter.models.encoder import Encoder, load_encoder


@pytest.fixture(scope="session")
def weights() -> e5_weights.E5File:
    return e5_weights.read(e5_weights.weights_path()[0])


@pytest.fixture(scope="session")
def encoder() -> Encoder:
    return load_encoder(precision="float32")


@pytest.fixture(scope="session")
def int8() -> Encoder:
    return load_encoder(precision="int8")
