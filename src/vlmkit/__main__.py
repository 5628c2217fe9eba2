"""`python -m vlmkit` is the same program as `vlmkit`."""

from vlmkit.cli import main

if __name__ == "__main__":
    main()
