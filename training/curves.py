"""What a run says while it goes on: a line of JSON for each point of the log, and its curves as a picture."""

import json
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path

SIZE = (7.0, 4.0)  # inches of one curve


class Curves:
    """A log ``log.jsonl`` in a folder; :meth:`draw` puts its numbers over ``step`` into ``curves.png``."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.path, self._picture = folder / "log.jsonl", folder / "curves.png"

    def tell(self, values: Mapping[str, object]) -> None:
        """Write a point, and say it."""
        line = {k: round(v, 5) if isinstance(v, float) else v for k, v in values.items()}
        with self.path.open("a", encoding="utf-8") as log:
            log.write(json.dumps(line) + "\n")
        print("  " + ", ".join(f"{k} {v}" for k, v in line.items()), flush=True)

    def points(self) -> list[dict[str, object]]:
        """The log so far."""
        lines = self.path.read_text(encoding="utf-8").splitlines() if self.path.exists() else []
        return [json.loads(line) for line in lines]

    def draw(self) -> Path:
        """The picture: a curve for each number of the log; what is not told at a step is left out there."""
        import matplotlib

        matplotlib.use("Agg")
        from matplotlib import pyplot as plt

        series: dict[str, list[tuple[float, float]]] = defaultdict(list)
        for point in self.points():
            for name, value in point.items():
                if name != "step" and isinstance(value, int | float) and isinstance(point.get("step"), int | float):
                    series[name].append((float(str(point["step"])), float(value)))
        shown = {name: points for name, points in series.items() if len(points) > 1} or {"no curve yet": []}
        figure, axes = plt.subplots(len(shown), 1, figsize=(SIZE[0], SIZE[1] * len(shown)), squeeze=False)
        for (name, points), (ax,) in zip(shown.items(), axes, strict=True):
            ax.plot([x for x, _ in points], [y for _, y in points], marker=".")
            ax.set(xlabel="step", ylabel=name)
            ax.grid(alpha=0.3)
        figure.tight_layout()
        figure.savefig(self._picture, dpi=90)
        plt.close(figure)
        return self._picture
