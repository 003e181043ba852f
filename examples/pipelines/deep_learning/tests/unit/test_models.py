import pytest

from samo.api import analyze
from samo.models import Model, load_model


def test_scores_add_up_to_one():
    scores = load_model("emotion").predict("I love this great day!")
    assert sum(scores.values()) == pytest.approx(1.0)


def test_models_are_read_once():
    assert load_model("emotion") is load_model("emotion")


@pytest.mark.parametrize(
    ("text", "emotion"), [("happy", "joy"), ("I hate it", "anger"), ("so sad", "sadness")]
)
def test_the_likeliest_emotion(text, emotion):
    assert analyze(text)["emotion"] == emotion


def test_an_empty_text_is_refused():
    with pytest.raises(ValueError):
        analyze("  ")


def test_unknown_words_change_nothing():
    model = Model({"a": {"x": 1.0}, "b": {}})
    assert model.predict("nothing known") == {"a": 0.5, "b": 0.5}
