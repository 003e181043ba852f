import time


def test_a_text_is_analyzed(post):
    status, answer = post({"text": "I love it"})
    assert (status, answer["emotion"]) == (200, "joy")


def test_bad_requests_are_told(post):
    assert post({"words": "x"})[0] == 400
    assert post({"text": ""})[0] == 400


def test_performance_requirements(post):
    begun = time.monotonic()
    post({"text": "happy"})
    assert time.monotonic() - begun < 2
