"""`python -m cli` is `segue`."""

from cli.main import main

if __name__ == "__main__":
    main()
