import pytest
import torch

from attention_filter.attention.blockwise import attend_masked
from attention_filter.attention.core import attend
from attention_filter.attention.masks import band, block_sparse, causal, everything, global_tokens, padding

KEEP = torch.arange(20) < torch.tensor([[20], [13]])
MASKS = {
    "everything": everything(),
    "causal": causal(),
    "band": band(3, 2),
    "global": global_tokens(torch.tensor([0, 17])),
    "padding": padding(KEEP),
    "blocks": block_sparse(torch.tensor([[True, False, False], [False, True, True], [False, False, False]]), 7),
}


@pytest.mark.parametrize("one", MASKS)
@pytest.mark.parametrize("other", MASKS)
@pytest.mark.parametrize("together", ["and", "or"])
@pytest.mark.parametrize("queries", [20, 6])
def test_a_combined_mask_run_blockwise_equals_its_matrix(one, other, together, queries):
    mask = MASKS[one] & MASKS[other] if together == "and" else MASKS[one] | MASKS[other]
    generator = torch.Generator().manual_seed(0)
    query, key, value = (torch.randn(2, 1, n, 4, generator=generator, dtype=torch.float64) for n in (queries, 20, 20))
    dense = mask.dense(queries, 20)
    left, right = MASKS[one].dense(queries, 20), MASKS[other].dense(queries, 20)
    assert torch.equal(dense, left & right if together == "and" else left | right)
    torch.testing.assert_close(attend_masked(query, key, value, mask, block=4), attend(query, key, value, dense))


def test_columns_never_leave_out_an_allowed_pair():
    for mask in MASKS.values():
        dense = mask.dense(20, 20)
        covered = torch.zeros_like(dense)
        for tile in mask.tiles(20, 20, 6):
            rows, columns = torch.arange(20)[tile.rows], torch.arange(20)[tile.columns]
            for number in range(tile.repeat):
                shift = number * tile.step
                covered[..., (rows + shift).unsqueeze(1), columns + shift] = True
        assert (covered | ~dense).all()


def test_a_band_looks_at_few_columns():
    tiles = list(band(4, 4).tiles(1000, 1000, 100))
    assert sum(tile.repeat * (tile.columns.stop - tile.columns.start) for tile in tiles) < 1100
    assert [tile.repeat for tile in tiles] == [1, 8, 1]  # the eight in the middle are alike and run together


def test_a_negative_band_is_refused():
    with pytest.raises(ValueError, match="counts of keys"):
        band(-1)
