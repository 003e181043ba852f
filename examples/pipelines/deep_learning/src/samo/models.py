"""Models, which are read once."""

import json
import math
from functools import lru_cache
from pathlib import Path

MODELS = Path(__file__).resolve().parents[2] / "models"


class Model:
    """Words with their weights for each emotion."""

    def __init__(self, weights: dict[str, dict[str, float]]) -> None:
        self.weights = weights

    def predict(self, text: str) -> dict[str, float]:
        """How likely each emotion is."""
        words = [word.strip(".,!?").lower() for word in text.split()]
        scores = {
            emotion: math.exp(sum(weights.get(word, 0.0) for word in words))
            for emotion, weights in self.weights.items()
        }
        total = sum(scores.values())
        return {emotion: score / total for emotion, score in scores.items()}


@lru_cache(maxsize=4)
def load_model(name: str) -> Model:
    """The model of this name."""
    text = (MODELS / name / "weights.json").read_text(encoding="utf-8")
    return Model(json.loads(text))
