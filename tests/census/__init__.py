"""The census: visits."""
