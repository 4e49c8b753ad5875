# %% [markdown]
# # 一条标题讲的是什么？（Which topic does a title have?）
#
# 三十六条虚构的新闻标题，三个类别：几秒钟学会，用留出的标题检验，并逐词解释。用您自己的文件时，第一格改为
# `titles = read_examples(Path("titles.jsonl"))`，每行一个 `{"text": …, "label": …}`；CSV 和 TSV 也可以。
#
# *Thirty-six invented titles of Chinese news, three labels. The same steps as in `classify_english.ipynb`, and two
# that few examples ask for: more texts without labels, and more examples out of those there are.*

# %%
import html
from itertools import product
from random import Random

import torch

from attention_filter.attention.draw import picture
from attention_filter.tasks.classify import Classifier
from attention_filter.tasks.examples import Example
from attention_filter.tasks.sentiment import Sentiment
from attention_filter.training.augment import drop, swap, varied

said = {
    "sports": (["国足", "女排", "湖人队"], ["今晚迎战老对手", "主场大胜晋级", "主教练赛后道歉", "公布最新大名单"]),
    "finance": (["央行", "沪指", "这家银行"], ["宣布下调利率", "午后跌幅扩大", "发布三季度数据", "成交额创新高"]),
    "food": (
        ["红烧肉", "这碗牛肉面", "家常豆腐"],
        ["怎么做才入味", "加一勺糖更香", "冬天吃最暖和", "隔壁小店卖了三十年"],
    ),
}
titles = [Example("".join(pair), (label,)) for label, parts in said.items() for pair in product(*parts)]
order = Random(0).sample(titles, len(titles))
train, held, more = order[:15], order[15:27], [one.text for one in order[27:]]
print(f"学习 {len(train)} 条，检验 {len(held)} 条，另有无标签 {len(more)} 条")

# %% [markdown]
# ## 1. 只有类别名称（names of labels alone）

# %%
names = {"体育": "sports", "财经": "finance", "美食": "food"}
by_names = Classifier().from_names(list(names), more)
right = [
    names[label] == one.labels[0] for (label,), one in zip(by_names.predict([h.text for h in held]), held, strict=True)
]
print(f"只凭名称：{sum(right) / len(right):.0%}")

# %% [markdown]
# ## 2. 十五个例子（fifteen examples）
# 探针：在冻结的编码器的几层向量和词语上学习一个线性模型。无标签的标题（`unlabelled`）让每条标题在相近的标题之间被看见；
# 数据增强（`changes`）让每个例子再以另外的样子出现一次。哪一种有用，要在自己的数据上量一量。
#
# *Whether more texts or changed copies help is to be measured on one's own data; docs/tasks.md says what we found.*

# %%
print("去掉词、换位置：", [column[0] for column in varied([train[0].text], [drop, swap])])
ways = {"": {}, "unlabelled": {"unlabelled": more}, "changes": {"changes": [drop, swap]}}
models = {name: Classifier("probe").fit(train, **how) for name, how in ways.items()}
for name, model in models.items():
    print(f"{name or 'fifteen examples':<14} {model.score(held):.0%}")

# %% [markdown]
# ## 3. 什么被当成了什么（what is taken for what）

# %%
model = models[""]
place = {label: number for number, label in enumerate(model.labels)}
table = torch.zeros(len(place), len(place))
for one, (label,) in zip(held, model.predict([one.text for one in held]), strict=True):
    table[place[one.labels[0]], place[label]] += 1
picture(table / table.sum(1, keepdim=True).clamp(min=1), model.labels, model.labels, "right label, label given")

# %% [markdown]
# ## 4. 为什么（why）
# 各词之和加上其余等于 logit。绿色支持这个类别，红色反对。

# %%
text = "女排姑娘今晚三比零取胜，主教练：还会更好"
why = model.explain(text)
print(f"{why.label}: {why.logit:+.3f} = 词 {sum(word.value for word in why.words):+.3f} + 其余 {why.rest:+.3f}")
most = max(abs(word.value) for word in why.words)


class Marked:
    """A text with its words coloured by what they add."""

    def _repr_html_(self) -> str:
        out, at = "", 0
        for word in why.words:
            colour = f"rgba({'0, 160, 60' if word.value > 0 else '220, 40, 40'}, {abs(word.value) / most:.2f})"
            out += html.escape(text[at : word.start])
            out += f'<span style="background: {colour}">{html.escape(text[word.start : word.end])}</span>'
            at = word.end
        return f"<p>{out}{html.escape(text[at:])}</p>"


Marked()

# %% [markdown]
# ## 5. 感情（how it feels）
# 不用训练：程序自带约一百七十个句子。也可以问对其中一样东西的感情。

# %%
feeling = Sentiment().from_prototypes()
review = "泳池很漂亮，但是停车场又小又脏。"
print(review, f"{feeling.polarity([review])[0]:+.2f}")
for thing in ("泳池", "停车场"):
    print(thing, f"{feeling.toward(review, thing).polarity:+.2f}")
