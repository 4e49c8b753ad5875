# %% [markdown]
# # A tour of the attention mechanism
#
# Five words, two features each, numbers one can check by hand. We go from queries and keys to the two matrices
# A and H, to what each mixes, and to why the filter uses both.

# %%
import math

import torch

from attention_filter.attention.core import attend
from attention_filter.attention.draw import head_table, html_page, picture, text_map
from attention_filter.attention.inspect import Maps, statistics

words = ["banks", "raise", "rates", "cats", "sleep"]
# Feature 1 says "about money", feature 2 "about animals".
v = torch.tensor([[2.0, 0.0], [1.0, 0.0], [2.0, 0.0], [0.0, 2.0], [0.0, 1.0]])

# %% [markdown]
# ## 1. Queries and keys
# Q = v W_Q and K = v W_K. With W_Q = W_K = I both are the words themselves, and the logit of a pair is their dot
# product: banks·rates = 2·2 + 0·0 = 4, banks·cats = 0.

# %%
w_query = w_key = torch.eye(2)
query, key = v @ w_query, v @ w_key
logits = query @ key.mT
print("logits Q·K")
print(text_map(logits / logits.max(), words, words, numbers=True))

# %% [markdown]
# ## 2. H: where does a word look?
# H_ij = exp(Q_i·K_j) / Σ_j exp(Q_i·K_j): each ROW sums to one. For "cats" the logits are 0, 0, 0, 4, 2, so
#
#     H(cats, cats) = e⁴ / (3·e⁰ + e⁴ + e²) = 54.60 / (3 + 54.60 + 7.39) = 0.84

# %%
mixed_by_h, h = attend(query, key, v, scale=1.0, return_weights=True)
print("\nH, rows sum to one:", [round(x, 3) for x in h.sum(1).tolist()])
print(text_map(h, words, words, numbers=True))
by_hand = math.e**4 / (3 + math.e**4 + math.e**2)
print(f"H(cats, cats) by hand {by_hand:.4f}, by the library {h[3, 3]:.4f}")
torch.testing.assert_close(h[3, 3], torch.tensor(by_hand))

# %%
picture(h, words, words, "H: each row sums to one")

# %% [markdown]
# ## 3. A: which query claims a word?
# A_ij = exp(Q_i·K_j) / Σ_k exp(Q_k·K_j): each COLUMN sums to one, because the queries compete for input j. With
# the same words on both sides the logits are symmetric, so here A is H turned over. The two part when the queries
# are something else than the keys. Two interests, "money" and "animals", ask about the five words:

# %%
interests = torch.tensor([[2.0, 0.0], [0.0, 1.0]])
names = ["money", "animals"]
_, looks = attend(interests, key, v, scale=1.0, return_weights=True)
_, claims = attend(interests, key, v, scale=1.0, normalize="queries", return_weights=True)
print("\nH: where each interest looks (rows sum to one)")
print(text_map(looks, names, words, numbers=True))
print("A: which interest claims each word (columns sum to one)")
print(text_map(claims, names, words, numbers=True))
by_hand = math.e**2 / (math.e**0 + math.e**2)  # cats: money 0, animals 1·2
print(f"A(animals, cats) by hand {by_hand:.4f}, by the library {claims[1, 3]:.4f}")
torch.testing.assert_close(claims[1, 3], torch.tensor(by_hand))

# %%
picture(looks, names, words, "H: where each interest looks")

# %%
picture(claims, names, words, "A: which interest claims each word")

# %% [markdown]
# H says that "money" looks hardly at all at "raise": 0.06, because "banks" and "rates" outshine it. A says that
# "raise" still belongs to "money": 0.88. That is why the filter uses both. A sorts what was read to the interests,
# so that no item is lost for being weaker than another; H decides which interests answer for a new item.

# %% [markdown]
# ## 4. Weighted fusion
# V_i = Σ_j A_ij v_j. Without asking for A, the library computes the same by two fused passes and never holds the
# matrix: A_ij = exp(s_ij − c_j), so V_i is the mass m_i that query i claims times an ordinary attention.

# %%
fused = attend(interests, key, v, scale=1.0, normalize="queries")
mass = claims.sum(1)
print("\nV = A·v:", [[round(x, 3) for x in row] for row in fused.tolist()])
print("mass claimed by each interest:", [round(x, 3) for x in mass.tolist()], "- together the five words")
torch.testing.assert_close(fused, claims @ v)
torch.testing.assert_close(mass.sum(), torch.tensor(5.0))

# %% [markdown]
# ## 5. Scale and masks
# Dividing the logits by √d keeps the softmax from hardening as vectors grow. A mask takes pairs out before the
# softmax; a row that may see nothing gives zeros.

# %%
for scale in (1.0, None):
    _, weights = attend(query, key, v, scale=scale, return_weights=True)
    bits = statistics(weights.unsqueeze(0)).entropy
    print(f"scale {scale or '1/√2'}: a word's attention has {float(bits):.2f} bits on average")
causal = torch.ones(5, 5).tril().bool()
print("\nCausal H: a word sees itself and what came before")
print(text_map(attend(query, key, v, causal, scale=1.0, return_weights=True)[1], words, words))

# %% [markdown]
# ## 6. Pictures
# The maps in characters are for the terminal; `picture` draws one matrix, `save_png` the grid of layers and heads, and
# `html_page` makes one page, without anything from outside, to explore layers and heads in a browser:
# `Path("attention.html").write_text(page, encoding="utf-8")`.

# %%
maps = Maps(tuple(words), tuple(words), h.view(1, 1, 5, 5), h.T.reshape(1, 1, 5, 5))  # symmetric logits: A is Hᵀ
page = html_page(maps, "Five words")
print(f"one page of {len(page) // 1024 + 1} KiB; the head in numbers:")
print(head_table(maps))
