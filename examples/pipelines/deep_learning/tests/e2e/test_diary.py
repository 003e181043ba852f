def test_a_week_of_entries(post):
    entries = ["great love", "so sad", "I hate mondays", "happy", "cry", "awful hate", "love"]
    found = [post({"text": entry})[1]["emotion"] for entry in entries]
    assert found == ["joy", "sadness", "anger", "joy", "sadness", "anger", "joy"]
