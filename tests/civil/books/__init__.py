"""The books of civil registration, over REST on both engines."""
