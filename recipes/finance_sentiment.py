"""How a sentence of financial news feels: Financial PhraseBank 1.0 (Malo et al. 2014, CC BY-NC-SA 3.0), English.

    python recipes/finance_sentiment.py --data Sentences_50Agree.txt --out finance-model [--method tuned]

`--data` is one of its files: a sentence, @ and its label a line, in Latin-1 or UTF-8. A fifth of the rows is kept to
measure on. The licence allows no commercial use, and asks that what is made of the data is shared alike.
"""

from pathlib import Path

from recipe import arguments, kept_back, run

from attention_filter.tasks.examples import Example
from attention_filter.tasks.sentiment import Sentiment


def main(data: Path, out: Path, method: str, seed: int) -> dict[str, float]:
    raw = data.read_bytes()
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError:  # as it was published
        text = raw.decode("latin-1")
    pairs = [line.rsplit("@", 1) for line in text.splitlines() if "@" in line]
    train, held = kept_back([Example(text.strip(), (label.strip(),)) for text, label in pairs], 0.2, seed)
    return run(Sentiment(method, seed=seed), train, held, out, "CC BY-NC-SA 3.0 (Financial PhraseBank)")


if __name__ == "__main__":
    options = arguments(__doc__)
    main(options.data, options.out, options.method, options.seed)
