"""`python -m app` is the command `mboka`."""

from app.cli import main

main()
