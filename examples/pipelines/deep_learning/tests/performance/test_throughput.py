import json
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from samo.models import load_model


def test_a_thousand_predictions():
    model = load_model("emotion")
    begun = time.perf_counter()
    for _ in range(1000):
        model.predict("a great and happy day")
    took = time.perf_counter() - begun
    with open("benchmarks.json", "w", encoding="utf-8") as file:
        json.dump({"predictions_per_second": 1000 / took}, file)
    assert took < 5


def test_concurrent_requests(post):
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: post({"text": "happy"}), range(32)))
    assert all(status == 200 for status, _ in answers)


@pytest.mark.gpu
def test_the_model_runs_on_a_graphics_card():
    assert load_model("emotion").predict("happy")["joy"] > 0.5
