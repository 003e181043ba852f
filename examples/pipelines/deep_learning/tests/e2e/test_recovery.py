def test_a_bad_request_does_not_stop_the_service(post):
    assert post({})[0] == 400
    assert post({"text": "happy"})[0] == 200
