"""Calls of this package."""

from fastapi import APIRouter

router = APIRouter(prefix="/v1")
