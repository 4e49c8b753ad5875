"""Every recipe on a few invented rows, laid out as its data set is."""

import csv
import json
import sys
from pathlib import Path

import pytest

RECIPES = Path(__file__).parents[2] / "recipes"
GOOD, BAD = ["房间干净，服务热情", "位置很好，早餐丰富", "非常满意"], ["房间太脏，隔音差", "服务态度恶劣", "再也不会来"]


def banking(folder):
    rows = {"card_arrival": ["where is my card", "my card has not come"], "exchange_rate": ["what is the rate", "rate"]}
    for name, times in (("train", 5), ("test", 1)):
        with (folder / f"{name}.csv").open("w", encoding="utf-8", newline="") as file:
            out = csv.writer(file)
            out.writerow(["text", "category"])
            out.writerows([f"{text} {n}", label] for label, some in rows.items() for text in some for n in range(times))
    return folder


def topics(folder):
    rows = {"sports": ["国足今晚迎战", "女排三比零取胜"], "finance": ["股市大跌", "央行宣布降息"]}
    said = [
        {"sentence": f"{text}{n}", "label": "1", "label_desc": f"news_{label}"}
        for label, some in rows.items() for text in some for n in range(5)
    ]  # fmt: skip
    for name in ("train_few_all", "dev_few_all", "unlabeled"):
        lines = "\n".join(json.dumps(row, ensure_ascii=False) for row in said)
        (folder / f"{name}.json").write_text(lines, "utf-8")
    return folder


def reviews(folder):
    path = folder / "reviews.csv"
    lines = [f"{label},{text}{n}" for label, some in ((1, GOOD), (0, BAD)) for text in some for n in range(5)]
    path.write_text("\ufefflabel,review\n" + "\n".join(line.replace("，", "。") for line in lines), "utf-8")
    return path


def finance(folder):
    path = folder / "sentences.txt"
    rows = {
        "positive": "Profit rose to a record € 5 mn",
        "negative": "Sales fell sharply",
        "neutral": "The firm is in Oslo",
    }
    lines = [f"{text} , part {n} .@{label}" for label, text in rows.items() for n in range(5)]
    path.write_bytes("\n".join(lines).replace("€", "EUR £").encode("latin-1"))
    return path


ROWS = {"banking_intents": banking, "chinese_topics": topics, "chinese_reviews": reviews, "finance_sentiment": finance}


@pytest.fixture(params=sorted(path.stem for path in RECIPES.glob("*.py") if path.stem not in ("recipe", "prior")))
def recipe(request, monkeypatch):
    monkeypatch.syspath_prepend(str(RECIPES))
    yield request.param
    for name in (request.param, "recipe"):
        sys.modules.pop(name, None)


def test_a_recipe_trains_measures_and_saves_with_a_card(recipe, tmp_path, capsys):
    import importlib

    figures = importlib.import_module(recipe).main(ROWS[recipe](tmp_path), tmp_path / "model", "probe", 0)
    assert figures["accuracy"] > 0.5
    assert "The model and its card are in" in capsys.readouterr().out
    card = (tmp_path / "model" / "README.md").read_text("utf-8")
    about = json.loads((tmp_path / "model" / "model.json").read_text("utf-8"))
    assert about["data"] in card
    assert about["licence"] in card
    assert all(label in card for label in about["config"]["labels"])
