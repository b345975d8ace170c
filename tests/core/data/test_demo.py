"""The demo's data: real drawings, told apart by what the demo says and by nothing else."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from shiftlens import load_settings
from shiftlens.core.data.demo import demo_domains, drawn, edges_of, source_hues, target_hues, write_demo


@pytest.fixture(scope="module")
def domains() -> tuple[tuple[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]:
    return demo_domains()


def test_written_once_and_kept(tmp_path: Path, domains: tuple[tuple[np.ndarray, np.ndarray], ...]) -> None:
    settings = write_demo(tmp_path)
    files = sorted(tmp_path.iterdir())
    assert [path.name for path in files] == ["analysis.yaml", "source.npz", "target.npz"]
    before = [path.stat().st_mtime_ns for path in files]
    settings.write_text(settings.read_text() + "# mine\n")
    write_demo(tmp_path)
    assert [path.stat().st_mtime_ns for path in files][1:] == before[1:]
    assert settings.read_text().endswith("# mine\n")
    assert load_settings(settings).general.name == "thick-digits"
    with np.load(tmp_path / "source.npz") as saved:
        np.testing.assert_array_equal(saved["x"], domains[0][0])


def test_all_digits_in_both_domains_and_each_drawing_once(
    domains: tuple[tuple[np.ndarray, np.ndarray], ...],
) -> None:
    assert sum(len(x) for x, _ in domains) == 1797
    for x, y in domains:
        assert x.shape[1:] == (32, 32, 3)
        assert x.dtype == np.uint8
        assert np.bincount(y, minlength=10).min() > 35


def share_of_ink(x: np.ndarray) -> np.ndarray:
    brightest = x.max(axis=3).astype(float)  # (N, 32, 32)
    return (brightest > brightest.max(axis=(1, 2), keepdims=True) / 2).mean(axis=(1, 2))


def test_target_is_thicker_and_cooler(domains: tuple[tuple[np.ndarray, np.ndarray], ...]) -> None:
    (source, _), (target, _) = domains
    assert share_of_ink(target).mean() > 1.5 * share_of_ink(source).mean()
    bluer = [(x[..., 2].mean((1, 2)) > x[..., 0].mean((1, 2))).mean() for x in (source, target)]
    assert bluer[0] < 0.35
    assert bluer[1] > 0.65


def test_edges_move_by_whole_pixels_when_told_so() -> None:
    ring = np.zeros((1, 8, 8))
    ring[0, 1:7, 2:6] = 16  # a full block: 18 by 12 px
    edges = edges_of(ring)
    rng = np.random.default_rng(0)
    areas = [share_of_ink(drawn(edges, np.array([by]), np.array([0.0]), rng))[0] * 32 * 32 for by in (-1.0, 0.0, 1.0)]
    assert areas[1] == pytest.approx(18 * 12, rel=0.06)
    assert areas[0] == pytest.approx(16 * 10, rel=0.06)
    assert areas[2] == pytest.approx(20 * 14, rel=0.06)


@pytest.mark.slow
def test_thickness_costs_accuracy_and_colour_does_not(tmp_path: Path) -> None:
    import torch
    from sklearn.datasets import load_digits

    torch.manual_seed(0)
    (x, y), (target_x, target_y) = demo_domains()
    as_tensor = lambda images: torch.from_numpy(images.transpose(0, 3, 1, 2).astype(np.float32) / 255)  # noqa: E731
    train, held_out = slice(0, 900), slice(900, None)
    network = torch.nn.Sequential(
        torch.nn.Conv2d(3, 16, 3, 2, 1), torch.nn.BatchNorm2d(16), torch.nn.ReLU(),
        torch.nn.Conv2d(16, 32, 3, 2, 1), torch.nn.BatchNorm2d(32), torch.nn.ReLU(),
        torch.nn.Conv2d(32, 64, 3, 2, 1), torch.nn.BatchNorm2d(64), torch.nn.ReLU(),
        torch.nn.Flatten(), torch.nn.Linear(1024, 10),
    )  # fmt: skip
    optimiser = torch.optim.AdamW(network.parameters(), lr=2e-3)
    inputs, labels = as_tensor(x[train]), torch.from_numpy(y[train])
    for _ in range(12):
        for rows in torch.randperm(len(inputs)).split(32):
            optimiser.zero_grad()
            torch.nn.functional.cross_entropy(network(inputs[rows]), labels[rows]).backward()
            optimiser.step()
    network.eval()

    def accuracy(images: np.ndarray, truth: np.ndarray) -> float:
        with torch.no_grad():
            return float((network(as_tensor(images)).argmax(1).numpy() == truth).mean())

    # The target's own drawings, with one change, the other, and neither.
    rng = np.random.default_rng(0)
    order = np.random.default_rng(0).permutation(1797)[len(x) :]
    edges, count = edges_of(load_digits().images[order]), len(order)
    thin, thick = rng.uniform(-0.8, -0.2, count), rng.uniform(1.0, 2.3, count)
    warm, cool = source_hues(count, rng), target_hues(count, rng)
    plain, recoloured, thickened = (
        accuracy(drawn(edges, width, hue, rng), target_y) for width, hue in ((thin, warm), (thin, cool), (thick, warm))
    )
    fallen = accuracy(target_x, target_y)
    assert accuracy(x[held_out], y[held_out]) > 0.93
    assert plain - fallen > 0.15
    assert plain - recoloured < 0.02
    assert plain - thickened > 0.7 * (plain - fallen)
