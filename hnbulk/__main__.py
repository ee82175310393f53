"""`python -m hnbulk` is the command line."""

from hnbulk.cli import main

main()
