"""The tests: names mirror app/ and sync/; every test that touches a database runs on both engines."""
