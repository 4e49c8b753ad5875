"""Time and memory of the attention library beside dense attention and other packages.

    python benchmarks/attention.py [--lengths 512 2048 8192] [--peers DIR] [--repeat 3] [--threads 1]

Each case runs in a process of its own (peak memory is the process's, less what it had before the first call), one
warm-up, then the median of the repeats. On a machine that others use too, `--threads 1` measures CPU time, which
they disturb least. `--peers DIR` is a folder with x-transformers, local-attention and
reformer-pytorch (pip install --target DIR …); without it they are left out. Batch 1, 4 heads of 64, float32.
"""

from __future__ import annotations

import argparse
import json
import math
import resource
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

import torch
from torch import Tensor
from torch.nn import functional as F

from attention_filter.attention.core import attend, weight_rows
from attention_filter.attention.global_local import global_local
from attention_filter.attention.local import local
from attention_filter.attention.lsh import Settings, lsh
from attention_filter.attention.multihead import MultiHeadAttention
from attention_filter.attention.sparse import fixed, strided

HEADS, DIM, WINDOW, ROUNDS, CHUNK = 4, 64, 256, 2, 64
Run = Callable[[Tensor, Tensor, Tensor], Tensor]


def naive(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    return (q @ k.mT / DIM**0.5).softmax(-1) @ v


def band_mask(n: int) -> Tensor:
    i = torch.arange(n)
    return (i.unsqueeze(1) - i).abs() <= WINDOW


def sdpa_with_mask(n: int) -> Run:
    mask = band_mask(n)
    return lambda q, k, v: F.scaled_dot_product_attention(q, k, v, attn_mask=mask)


def flex(n: int) -> Run:
    from torch.nn.attention.flex_attention import create_block_mask, flex_attention

    near = create_block_mask(lambda b, h, i, j: (i - j).abs() <= WINDOW, None, None, n, n, device="cpu")
    compiled = torch.compile(flex_attention)
    return lambda q, k, v: compiled(q, k, v, block_mask=near)


def peer_local(n: int) -> Run:
    from local_attention import LocalAttention

    layer = LocalAttention(
        dim=DIM, window_size=WINDOW, look_backward=1, look_forward=1, exact_windowsize=True, use_rotary_pos_emb=False
    )
    return layer.forward


def peer_lsh(n: int) -> Run:
    from reformer_pytorch import LSHAttention

    layer = LSHAttention(bucket_size=CHUNK, n_hashes=ROUNDS, causal=False)
    return lambda q, k, v: layer(q.flatten(0, 1), v.flatten(0, 1))[0].view_as(v)


def peer_dense(n: int) -> Run:
    from x_transformers.attend import Attend

    layer = Attend(flash=False)
    return lambda q, k, v: layer(q, k, v)[0]


def hashed(n: int) -> Run:
    settings = Settings(buckets=max(2, n // CHUNK), chunk=CHUNK, rounds=ROUNDS)
    return lambda q, k, v: lsh(q, q, v, settings=settings)


CASES: dict[str, Callable[[int], Run]] = {
    "naive": lambda n: naive,
    "x-transformers (dense)": peer_dense,
    "torch SDPA": lambda n: F.scaled_dot_product_attention,
    "torch SDPA, band mask": sdpa_with_mask,
    "FlexAttention, band (forward)": flex,
    "H": lambda n: attend,
    "A": lambda n: lambda q, k, v: attend(q, k, v, normalize="queries"),
    "local": lambda n: lambda q, k, v: local(q, k, v, window=WINDOW),
    "local-attention": peer_local,
    "global and local": lambda n: lambda q, k, v: global_local(q, k, v, window=WINDOW, positions=torch.arange(8)),
    "strided": lambda n: lambda q, k, v: strided(q, k, v, stride=math.isqrt(n)),
    "fixed": lambda n: lambda q, k, v: fixed(q, k, v, stride=128, summary=4),
    "LSH": hashed,
    "reformer-pytorch (LSH)": peer_lsh,
}
PEERS = ("x-transformers (dense)", "local-attention", "reformer-pytorch (LSH)")
LARGE = {"naive": 8192, "x-transformers (dense)": 8192}  # beyond this they do not fit an ordinary memory


def inputs(n: int, dtype: torch.dtype = torch.float32, *, grad: bool = True) -> list[Tensor]:
    generator = torch.Generator().manual_seed(0)
    return [torch.randn(1, HEADS, n, DIM, generator=generator).to(dtype).requires_grad_(grad) for _ in range(3)]


def seconds(action: Callable[[], object], repeat: int) -> float:
    clock = time.process_time if torch.get_num_threads() == 1 else time.perf_counter
    action()
    times = []
    for _ in range(repeat):
        start = clock()
        action()
        times.append(clock() - start)
    return median(times)


def memory(*, restart: bool = False) -> float:
    """Peak resident MiB since the last restart; Linux counts it anew, elsewhere it is the process's."""
    if not Path("/proc/self/clear_refs").exists():
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    if restart:
        Path("/proc/self/clear_refs").write_text("5")
    status = Path("/proc/self/status").read_text()
    return int(status.split("VmHWM:")[1].split()[0]) / 1024


def measure(name: str, n: int, repeat: int) -> dict[str, object]:
    """One case in this process: seconds forward, seconds forward + backward, peak MiB."""
    function, values, frozen = CASES[name](n), inputs(n), inputs(n, grad=False)
    above = torch.ones_like(values[2])
    before = memory(restart=True)
    with torch.no_grad():
        forward = seconds(lambda: function(*frozen), repeat)
    both = None
    if "forward" not in name:
        both = seconds(lambda: torch.autograd.backward(function(*values), above), repeat)
    peak = memory() - before
    return {"case": name, "n": n, "forward": forward, "both": both, "peak_mib": peak}


def precision_and_rows(n: int, repeat: int) -> dict[str, object]:
    """bf16 beside float32 (forward + backward), and one row of weights beside a dense pass (forward)."""
    out: dict[str, object] = {"case": "extras", "n": n}
    times = {}
    for dtype in (torch.float32, torch.bfloat16):
        q, k, v = inputs(n, dtype)
        above = torch.ones_like(v)
        for name, function in (("H", attend), ("local", CASES["local"](n)), ("A", CASES["A"](n))):
            run = lambda f=function, x=(q, k, v), g=above: torch.autograd.backward(f(*x), g)  # noqa: E731
            times[name, dtype] = seconds(run, repeat)
    for name in ("H", "A", "local"):
        out[f"bf16 speed-up, {name}"] = times[name, torch.float32] / times[name, torch.bfloat16]
    out["bf16 speed-up, a layer of 8 heads, 8 × 512"] = layer_speed_up(repeat)
    q, k, v = inputs(n, grad=False)
    dense, row = seconds(lambda: attend(q, k, v), repeat), torch.tensor([n // 2])
    out["a row of H / a dense pass"] = seconds(lambda: weight_rows(q, k, row), repeat) / dense
    one = seconds(lambda: weight_rows(q[:, :1], k[:, :1], row, normalize="queries"), repeat)
    out["a row of A, one head / a dense pass"] = one / dense
    return out


def layer_speed_up(repeat: int) -> float:
    """Seconds of a whole layer, projections included, in float32 over those under bfloat16 autocast."""
    layer, x = MultiHeadAttention(512, 8), torch.randn(8, 512, 512)

    def step() -> None:
        layer(x)[0].float().sum().backward()

    plain = seconds(step, repeat)
    with torch.autocast("cpu", torch.bfloat16):
        return plain / seconds(step, repeat)


def in_a_process(arguments: list[str], limit: float) -> dict[str, object] | None:
    done = subprocess.run(
        [sys.executable, __file__, *arguments], capture_output=True, text=True, timeout=limit, check=False
    )
    if done.returncode:
        print(f"{arguments[1]}: {done.stderr.strip().splitlines()[-1][:150]}", file=sys.stderr)
        return None
    return json.loads(done.stdout.strip().splitlines()[-1])


def exponent(rows: list[dict[str, object]], name: str, field: str) -> float | None:
    """Slope of log(field) over log(n) between the two longest lengths of a case."""
    points = sorted((r["n"], r[field]) for r in rows if r["case"] == name and r[field])
    if len(points) < 2 or min(p[1] for p in points[-2:]) <= 0:
        return None
    (n, low), (m, high) = points[-2:]
    return math.log(high / low) / math.log(m / n)


def table(rows: list[dict[str, object]]) -> str:
    lines = [
        "| n | case | forward ms | forward + backward ms | × faster than SDPA | peak MiB |",
        "|---|---|---|---|---|---|",
    ]
    dense = {row["n"]: row["both"] for row in rows if row["case"] == "torch SDPA"}
    for row in rows:
        both = row["both"]
        gain = f"{dense[row['n']] / both:.1f}" if both and row["n"] in dense else "–"
        shown = f"{1e3 * both:.0f}" if both else "–"
        lines.append(
            f"| {row['n']} | {row['case']} | {1e3 * row['forward']:.0f} | {shown} | {gain} | {row['peak_mib']:.0f} |"
        )
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--lengths", type=int, nargs="+", default=[512, 2048, 4096, 8192, 16384])
    parser.add_argument("--data", help="not needed; taken so that all benchmarks are called alike")
    parser.add_argument("--peers", default="")
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--limit", type=float, default=300, help="seconds that one case may take")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads(), help="with 1, CPU time is measured")
    parser.add_argument("--case", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.peers:
        sys.path.append(options.peers)
    torch.set_num_threads(options.threads)
    if options.case:
        n = options.lengths[0]
        done = (
            precision_and_rows(n, options.repeat)
            if options.case == "extras"
            else measure(options.case, n, options.repeat)
        )
        print(json.dumps(done))
        return
    rows = []
    for n in options.lengths:
        for name in CASES:
            if n > LARGE.get(name, n) or (name in PEERS and not options.peers):
                continue
            arguments = ["--case", name, "--lengths", str(n), "--repeat", str(options.repeat)]
            arguments += ["--threads", str(options.threads)]
            row = in_a_process([*arguments, *(["--peers", options.peers] if options.peers else [])], options.limit)
            if row:
                rows.append(row)
                print(json.dumps(row), file=sys.stderr, flush=True)
    print(table(rows))
    for name in ("local", "strided", "fixed", "LSH"):
        print(f"{name}: time ~ n^{exponent(rows, name, 'both')}, memory ~ n^{exponent(rows, name, 'peak_mib')}")
    print(
        json.dumps(
            in_a_process(["--case", "extras", "--lengths", "4096", "--threads", str(options.threads)], options.limit),
            indent=1,
        )
    )


if __name__ == "__main__":
    main()
