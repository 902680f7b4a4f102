"""Documents: seal, press, issues, delivery, verification apart."""
