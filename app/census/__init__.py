"""The census: visits and their outcome. Households and persons found by a visit belong to app.population."""
