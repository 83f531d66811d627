"""`python -m howto`: the program, for launchers such as torchrun that start a module."""

from howto.cli.main import main

__all__: list[str] = []

if __name__ == "__main__":
    main()
