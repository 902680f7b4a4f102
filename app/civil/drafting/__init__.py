"""The life of a birth from its declaration to the signature: draft of the act, reading back, signing."""
