"""``python -m firellava`` is the command ``firellava``."""

from firellava.cli import main

main()
